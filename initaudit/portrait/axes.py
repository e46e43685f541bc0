"""The axes of charts: their ticks and labels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
DECADES_LABELLED = 7


class Tick(msgspec.Struct, frozen=True):
    """A place on an axis and its label."""

    value: float
    label: str


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """Maps values to a length: linearly, or logarithmically if ``log``."""

    low: float
    high: float
    ticks: tuple[Tick, ...]
    log: bool = False

    def share(self, value: float) -> float:
        """Return the position of a value on the axis, from 0 to 1."""
        low, high, at = (math.log10(x) if self.log else x for x in (self.low, self.high, value))
        return (at - low) / (high - low)


def decades(values: Iterable[float]) -> Axis:
    """Return a logarithmic axis over positive values, with a tick per decade, or finer for a small range."""
    known = [value for value in values if math.isfinite(value) and value > 0] or [1.0]
    first, last = math.log10(min(known)), math.log10(max(known))
    low, high = math.floor(first + 1e-9), math.ceil(last - 1e-9)
    if high - low <= 2:
        return _finely(min(known), max(known), low, max(high, low + 1))
    step = math.ceil((high - low) / DECADES_LABELLED)
    labelled = [power for power in range(low, high + 1) if power % step == 0]
    return Axis(
        low=10.0**low, high=10.0**high, ticks=tuple(Tick(10.0**power, decade(power)) for power in labelled), log=True
    )


def _finely(first: float, last: float, low: int, high: int) -> Axis:
    """Return an axis with ticks at 1, 2 and 5 of each decade, as narrow as the values allow."""
    steps = [digit * 10.0**power for power in range(low, high + 1) for digit in (1, 2, 5)]
    start = max((step for step in steps if step <= first * (1 + 1e-9)), default=steps[0])
    end = min((step for step in steps if step >= last * (1 - 1e-9) and step > start), default=steps[-1])
    if end == start:
        end *= 2
    within = [step for step in steps if start <= step <= end]
    return Axis(low=start, high=end, ticks=tuple(Tick(step, _plainly(step)) for step in within), log=True)


def _plainly(value: float) -> str:
    """A number such as 0.05 as it is, one that is far from 1 with a power of ten."""
    digits, _, power = f"{value:.0e}".partition("e")
    return f"{value:g}" if 1e-3 <= value < 1e4 else f"{digits}×10{str(int(power)).translate(SUPERSCRIPT)}"


def decade(power: int) -> str:
    """A power of ten as it is printed; 1, 10 and 0.1 as themselves."""
    return {-1: "0.1", 0: "1", 1: "10"}.get(power) or f"10{str(power).translate(SUPERSCRIPT)}"


def shares(top: float = 1.0) -> Axis:
    """From nothing to everything, in percent."""
    return Axis(low=0.0, high=top, ticks=tuple(Tick(share, f"{share:.0%}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)))


def counting(count: int, *, at_most: int = 8) -> Axis:
    """From the first to the last of ``count`` things that are in order."""
    steps = (base * 10**power for power in range(9) for base in (1, 2, 5))
    step = next(step for step in steps if count / step <= at_most)
    numbers = [1, *(number for number in range(step, count + 1, step) if number > 1)]
    ticks: Sequence[int] = numbers if step == 1 or len(numbers) < 3 or numbers[1] > 2 else [1, *numbers[2:]]
    return Axis(low=1.0, high=float(max(count, 2)), ticks=tuple(Tick(float(number), f"{number}") for number in ticks))
