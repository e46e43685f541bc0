"""Tell apart how two ways of initializing a tensor distribute its values, from two seeds of each."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from initaudit.probe.record.poison import differing, how_many, rounded
from initaudit.probe.record.readable import bare, has_memory, local_of

ENOUGH = 16
"""Elements from which on a scale is compared."""
ERRORS = 6.0
"""Standard errors that two scales or means have to be apart: many tensors are many tests."""
APART = 0.1
"""The least difference of the logarithms of two scales."""
SHIFTED = 0.5
"""The least difference of two means, in standard deviations."""
UNLIKE = 3.0
"""How many times the difference between two seeds another difference has to be."""
COLLIDING = 1e-5
"""The part of random elements that may be the same by chance. Numbers of half precision are the same too often."""
FINE = 4
"""Bytes of the shortest numbers that are hardly ever the same by chance."""


class Twice(NamedTuple):
    """A tensor as one way of initializing gives it, from two seeds."""

    first: torch.Tensor
    second: torch.Tensor

    @property
    def fixed(self) -> torch.Tensor:
        """Which elements no seed changes, as a flat mask."""
        return ~differing(self.first, self.second)


def difference(made: Twice, again: Twice) -> tuple[str, str] | None:
    """What a tensor holds that was initialized again, and what it held; None where both are alike."""
    tensors = [local_of(tensor) for tensor in (*made, *again)]
    if not all(map(has_memory, tensors)) or any(tensor.is_quantized for tensor in tensors):
        return None
    was, now = made.first, again.first
    if was.shape != now.shape:
        return f"shape {tuple(now.shape)}", f"shape {tuple(was.shape)}"
    if was.dtype != now.dtype:
        return f"{_type(now)} values", f"{_type(was)} values"
    if was.numel() == 0:
        return None
    fixed, still = made.fixed, again.fixed
    all_fixed, all_still = (how_many(mask) == mask.numel() for mask in (fixed, still))
    if all_fixed or all_still:
        same = all_fixed and all_still and (how_many(differing(was, now)) == 0 or rounded(local_of(was), local_of(now)))
        if same:
            return None
        now, before = _described(again, still=all_still), _described(made, still=all_fixed)
        return (now, before) if now != before else (f"other {now}", before)
    return _drawn_apart(made, again)


def _drawn_apart(made: Twice, again: Twice) -> tuple[str, str] | None:
    """Two draws: elements that only one of them draws, another scale, another mean."""
    elements = _only_drawn(made, again)
    if elements:
        return f"random values in {elements} elements", "fixed values there"
    elements = _only_drawn(again, made)
    if elements:
        return f"fixed values in {elements} elements", "random values there"
    was, now = _Draw(made), _Draw(again)
    if was.apart(now):
        return _described(again, still=False), _described(made, still=False)
    return None


def _only_drawn(made: Twice, again: Twice) -> int:
    """How many elements are fixed in one way and other values in the other; 0 where chance can make so many."""
    if made.first.element_size() < FINE or not made.first.is_floating_point():
        return 0
    count = how_many(made.fixed & (differing(made.first, again.first) | differing(made.first, again.second)))
    row = made.first.shape[-1] if made.first.dim() > 1 else 2
    return count if count >= max(2, row, COLLIDING * made.first.numel()) else 0


class _Draw:
    """The scale and the mean of random values, with what two seeds make them differ by."""

    def __init__(self, twice: Twice) -> None:
        both = [_numbers(tensor) for tensor in twice]
        values = torch.cat(both)
        values = values[values.isfinite()]
        self.count = values.numel()
        if self.count < 2:
            self.mean = self.std = 0.0
            return
        self.mean, self.std = float(values.mean()), float(values.std(correction=0))
        tailed = float(((values - self.mean) ** 4).mean()) / self.std**4 if self.std > 0 else 1.0
        self.error = math.sqrt(max(tailed - 1.0, 0.0) / (4 * self.count))
        stds, means = [float(one.std(correction=0)) for one in both], [float(one.mean()) for one in both]
        self.scatter = abs(math.log(stds[0] / stds[1])) if min(stds) > 0 else math.inf
        self.drift = abs(means[0] - means[1])

    def apart(self, other: _Draw) -> bool:
        if min(self.count, other.count) < 2 * ENOUGH or min(self.std, other.std) <= 0:
            return False
        scale = abs(math.log(self.std / other.std))
        error = math.hypot(self.error, other.error)
        if scale > max(APART, ERRORS * error, UNLIKE * max(self.scatter, other.scatter)):
            return True
        std = max(self.std, other.std)
        error = std * math.sqrt(1 / self.count + 1 / other.count)
        return abs(self.mean - other.mean) > max(SHIFTED * std, ERRORS * error, UNLIKE * max(self.drift, other.drift))


def _described(twice: Twice, *, still: bool) -> str:
    values = _numbers(twice.first)
    if still:
        same = bool((values == values[0]).all())
        return (
            f"{float(values[0]):g}" if same else f"values from {float(values.min()):.4g} to {float(values.max()):.4g}"
        )
    draw = _Draw(twice)
    off = abs(draw.mean) > SHIFTED * draw.std
    return f"random values with standard deviation {draw.std:.3g}" + (f" around {draw.mean:.3g}" if off else "")


def _numbers(tensor: torch.Tensor) -> torch.Tensor:
    flat = bare(local_of(tensor)).cpu().reshape(-1)
    return torch.view_as_real(flat).double().reshape(-1) if flat.is_complex() else flat.double()


def _type(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
