"""The effect of arithmetic on a distribution: ``0.02 * torch.randn(...)`` is N(0, 0.02^2).

Knows the operators of ATen by name, and no tensors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from initaudit.schemes import Distribution

SHAPED = frozenset({"normal", "uniform", "truncated_normal", "constant"})
"""The families that stay what they are under scaling and shifting."""
COPIES = frozenset({"clone", "_to_copy", "contiguous", "lift_fresh", "detach", "view_as_real"})


def transformed(operator: str, before: Distribution, arguments: Sequence[object]) -> Distribution | None:
    """What an elementwise operator ("mul", "add_") with these further arguments leaves; None when that has no name."""
    name = operator.removesuffix("_")
    number = _number(arguments)
    if name in COPIES:
        return before
    if name == "erfinv":
        return _probit(before)
    if name in ("clamp", "clip", "clamp_", "hardtanh"):
        return before if _within(before, arguments) else None
    if name == "neg":
        return _scaled(before, -1.0)
    if number is None:
        return None
    if name in ("mul", "multiply"):
        return _scaled(before, number)
    if name in ("div", "true_divide", "divide"):
        return _scaled(before, 1 / number) if number else None
    if len(arguments) > 1:  # add and sub of a multiple
        return None
    if name in ("add", "sub"):
        return _shifted(before, number if name == "add" else -number)
    if name == "rsub":
        mirrored = _scaled(before, -1.0)
        return _shifted(mirrored, number) if mirrored is not None else None
    return None


def _number(arguments: Sequence[object]) -> float | None:
    first = arguments[0] if arguments else None
    return float(first) if isinstance(first, int | float) and math.isfinite(first) else None


def _scaled(before: Distribution, factor: float) -> Distribution | None:
    """Scaling keeps what is orthogonal up to its gain; the identity scaled is the identity no more."""
    if factor == 0:
        return Distribution(family="constant", mean=0.0, std=0.0)
    if before.family not in SHAPED and before.family not in ("orthogonal", "sparse"):
        return None
    after = before.scaled(factor)
    return msgspec.structs.replace(after, mean=0.0) if before.mean == 0 else after  # and not minus zero


def _shifted(before: Distribution, offset: float) -> Distribution | None:
    if offset == 0:
        return before
    return before.shifted(offset) if before.family in SHAPED else None


def _within(before: Distribution, bounds: Sequence[object]) -> bool:
    """Whether a clamp changes nothing but rounding."""
    ends = (before.low, before.high) if before.family != "constant" else (before.mean, before.mean)
    low, high = (*bounds, None, None)[:2]
    if ends[0] is None or ends[1] is None:
        return False
    above = not isinstance(low, int | float) or low <= ends[0] or math.isclose(low, ends[0], rel_tol=1e-6)
    below = not isinstance(high, int | float) or high >= ends[1] or math.isclose(high, ends[1], rel_tol=1e-6)
    return above and below


def _probit(before: Distribution) -> Distribution | None:
    """The inverse error function of a uniform draw: how a truncated normal is made by hand."""
    if before.family != "uniform" or before.low is None or before.high is None:
        return None
    if not -1 <= before.low < before.high <= 1:
        return None
    return Distribution(
        family="truncated_normal",
        mean=0.0,
        std=1 / math.sqrt(2),
        low=_inverse_error_function(before.low),
        high=_inverse_error_function(before.high),
    )


def _inverse_error_function(value: float) -> float:
    """By Newton's method from a closed form that is right to a few thousandths (Winitzki 2008)."""
    if abs(value) == 1:
        return math.copysign(math.inf, value)
    logarithm = math.log(1 - value * value)
    half = 2 / (math.pi * 0.147) + logarithm / 2
    guess = math.copysign(math.sqrt(math.sqrt(half * half - logarithm / 0.147) - half), value)
    for _ in range(4):
        guess -= (math.erf(guess) - value) / (2 / math.sqrt(math.pi) * math.exp(-guess * guess))
    return guess
