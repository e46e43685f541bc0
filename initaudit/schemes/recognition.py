"""Map a distribution and a shape to the names of all schemes with this closed form."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import msgspec

from initaudit.schemes.closed_form import xavier_std
from initaudit.schemes.distribution import Distribution
from initaudit.schemes.gains import OTHERS, RELU, TORCH_DEFAULT, UNIT, Gain
from initaudit.schemes.weights import Fans, Shape, fans, longer_side

TOLERANCE = 1e-6
"""Relative tolerance between a standard deviation and a closed form."""


class Recognition(msgspec.Struct, frozen=True, kw_only=True):
    """A scheme whose closed form a distribution has.

    ``scheme`` is spelled as in torch, without the underscore. ``mode`` is the fan in the formula, where only one is,
    and ``nonlinearity`` what the gain is meant for.
    """

    scheme: str
    gain: float | None = None
    fan_in: float | None = None
    fan_out: float | None = None
    mode: str | None = None
    nonlinearity: str | None = None

    def __str__(self) -> str:
        if self.scheme.startswith(("xavier", "orthogonal")) and self.gain is not None:
            return f"{self.scheme}, gain {_gain_text(self.gain)}"
        if self.nonlinearity == TORCH_DEFAULT.nonlinearity:
            return f"{self.scheme}, a=sqrt(5), torch's default"
        return ", ".join(part for part in (self.scheme, self.mode, self.nonlinearity) if part)


def recognise(distribution: Distribution, shape: Shape, by: str | None = None) -> tuple[Recognition, ...]:
    """Every scheme with this closed form at this shape (its equivalence class), the likeliest first.

    On a square matrix Xavier and LeCun coincide, and both are named. ``by`` is the canonical call that drew it, where
    that is known: its scheme then comes first, whatever its gain.
    """
    named = _named_alike(distribution, None if shape is None else tuple(shape))
    called = (by or "").rpartition(".")[2].removesuffix("_")
    if not called.startswith(("xavier", "kaiming")):
        return named
    first = [found for found in named if found.scheme == called] or _called(called, distribution, shape)
    return (*first, *(found for found in named if found.scheme != called))


def describe(distribution: Distribution, shape: Shape, by: str | None = None) -> str:
    """Describe a distribution in words: "xavier_normal, gain 1", "normal(0, 0.02)", "zeros"."""
    named = recognise(distribution, shape, by)
    if not named:
        return _formula(distribution)
    others = dict.fromkeys(found.scheme for found in named if found.scheme != named[0].scheme)
    return f"{named[0]} (here the same as {' and '.join(others)})" if others else str(named[0])


@functools.lru_cache(maxsize=4096)
def _named_alike(distribution: Distribution, shape: tuple[int | None, ...] | None) -> tuple[Recognition, ...]:
    return tuple(_recognitions(distribution, shape))


def _recognitions(distribution: Distribution, shape: Shape) -> Iterator[Recognition]:
    match distribution:
        case Distribution(family="constant", mean=0.0):
            yield Recognition(scheme="zeros")
        case Distribution(family="constant", mean=1.0):
            yield Recognition(scheme="ones")
        case Distribution(family="identity"):
            yield Recognition(scheme="eye")
        case Distribution(family="dirac" | "sparse" as scheme):
            yield Recognition(scheme=scheme)
        case Distribution(family="orthogonal", std=float(std)) if (fan := _fans(shape)) is not None:
            yield _named("orthogonal", Gain(std * math.sqrt(longer_side(shape)), "", None), fan)
        case Distribution(family="normal" | "uniform" | "truncated_normal") if (fan := _fans(shape)) is not None:
            candidates = _uniform_schemes(fan) if distribution.family == "uniform" else _schemes("normal", fan)
            stds = _deviations(distribution)
            yield from (found for found, closed_form in candidates if any(_close(std, closed_form) for std in stds))


def _fans(shape: Shape) -> Fans | None:
    """torch's fans, where there are any and something meets something."""
    try:
        found = fans(shape)
    except ValueError:
        return None
    return found if found.fan_in > 0 and found.fan_out > 0 else None


def _deviations(distribution: Distribution) -> tuple[float, ...]:
    """The standard deviations to compare: none unless centred on 0; a truncated normal may mean either of its two."""
    std, mean = distribution.std, distribution.mean
    if std is None or mean is None or abs(mean) > TOLERANCE * std:
        return ()
    actual = distribution.actual_std
    return (std,) if actual is None else (std, actual)


def _schemes(form: str, fan: Fans) -> Iterator[tuple[Recognition, float]]:
    """Xavier, Kaiming and LeCun with the standard deviation that each has, in the order of how likely each is meant."""

    def xavier(gain: Gain) -> tuple[Recognition, float]:
        return _named(f"xavier_{form}", gain, fan), gain.value * xavier_std(fan)

    def kaiming(gain: Gain, mode: str) -> tuple[Recognition, float]:
        met = fan.fan_in if mode == "fan_in" else fan.fan_out
        return _named(f"kaiming_{form}", gain, fan, mode), gain.value / math.sqrt(met)

    # On a square weight both fans are the same number, and "fan_in" names it.
    modes = ("fan_in",) if fan.fan_in == fan.fan_out else ("fan_in", "fan_out")
    yield xavier(UNIT)
    yield from (kaiming(RELU, mode) for mode in modes)
    yield _named(f"lecun_{form}", UNIT, fan), 1 / math.sqrt(fan.fan_in)
    yield from (kaiming(UNIT, mode) for mode in modes[1:])  # with fan_in that is LeCun's
    yield xavier(RELU)
    for gain in OTHERS:
        yield xavier(gain)
        yield from (kaiming(gain, mode) for mode in modes if gain.nonlinearity)


def _uniform_schemes(fan: Fans) -> Iterator[tuple[Recognition, float]]:
    yield _named("kaiming_uniform", TORCH_DEFAULT, fan, "fan_in"), TORCH_DEFAULT.value / math.sqrt(fan.fan_in)
    yield from _schemes("uniform", fan)
    yield _named("siren", None, fan, "first layer"), 1 / fan.fan_in / math.sqrt(3)
    yield _named("siren", None, fan, "hidden layer"), math.sqrt(2 / fan.fan_in) / 30


def _called(called: str, distribution: Distribution, shape: Shape) -> list[Recognition]:
    """The scheme that a call names, its gain in no table: Xavier's follows from the shape, Kaiming's needs the mode."""
    fan, stds = _fans(shape), _deviations(distribution)
    if fan is None or not stds:
        return []
    gain = Gain(stds[0] / xavier_std(fan), "", None) if called.startswith("xavier") else None
    return [_named(called, gain, fan)]


def _named(scheme: str, gain: Gain | None, fan: Fans, mode: str | None = None) -> Recognition:
    return Recognition(
        scheme=scheme,
        gain=gain.value if gain else None,
        fan_in=fan.fan_in,
        fan_out=fan.fan_out,
        mode=mode,
        nonlinearity=gain.nonlinearity if gain and mode else None,
    )


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=TOLERANCE)


def _gain_text(value: float) -> str:
    return next((gain.text for gain in (UNIT, RELU, *OTHERS) if _close(gain.value, value)), f"{value:.4g}")


def _formula(distribution: Distribution) -> str:
    numbers = {
        "normal": (distribution.mean, distribution.std),
        "uniform": (distribution.low, distribution.high),
        "truncated_normal": (distribution.mean, distribution.std, distribution.low, distribution.high),
        "constant": (distribution.mean,),
    }.get(distribution.family, ())
    written = ["?" if number is None else f"{number:.4g}" for number in numbers]
    return f"{distribution.family}({', '.join(written)})" if written else distribution.family
