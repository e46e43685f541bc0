"""Signal through depth as sparklines."""

from __future__ import annotations

import math
from collections.abc import Sequence

from initaudit.portrait.signals import Curve

BLOCKS = "▁▂▃▄▅▆▇█"
GAP = "·"
LENGTH = 40
LEAST_DECADES = 1.0
"""Minimum range of a sparkline, in decades, so that noise does not look like a trend."""


def sparkline(curve: Curve, length: int = LENGTH) -> str:
    """Return one character per layer, or per group of neighbours, as high as its value on the axis."""
    points = curve.stretches(length)
    if not curve.measure.axis(curve.middles()).log:
        return "".join(_block(point.middle) if point else GAP for point in points)
    logs = [math.log10(point.middle) if point and point.middle > 0 else None for point in points]
    low, span = _span([log for log in logs if log is not None])
    return "".join(GAP if log is None else _block((log - low) / span) for log in logs)


def _span(logs: Sequence[float]) -> tuple[float, float]:
    """Return the lower end of a sparkline and its range, in decades."""
    if not logs:
        return 0.0, LEAST_DECADES
    low, high = min(logs), max(logs)
    spare = max(0.0, LEAST_DECADES - (high - low)) / 2
    return low - spare, high - low + 2 * spare


def _block(share: float) -> str:
    return BLOCKS[min(len(BLOCKS) - 1, max(0, int(share * len(BLOCKS))))]
