"""Signal through depth for a terminal, a sparkline for each measure; rich is imported when there is one to show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from initaudit.observation import Observation
from initaudit.portrait import built
from initaudit.portrait.rows import number
from initaudit.portrait.signals import Curve, curves
from initaudit.report.base import printable

BLOCKS = "▁▂▃▄▅▆▇█"
GAP = "·"
LENGTH = 40
LEAST_DECADES = 1.0
"""What lies within so many decades does not fill the height of a sparkline: noise must not look like a trend."""


def sparklines(observations: Iterable[Observation], *, width: int, color: bool) -> str:
    """A table for each model whose signal was measured."""
    return "".join(_table(one, width, color=color) for one in built(observations) if one.signal and one.signal.layers)


def _table(model: Observation, width: int, *, color: bool) -> str:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    assert model.signal
    source, seeds = escape(printable(model.source)), len(model.signal.seeds)
    table = Table(
        title=f"{source}: signal through {len(model.signal.layers)} layers, {seeds} seed{'s'[: seeds != 1]}",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
    )
    table.add_column("measure")
    table.add_column("first to last layer", style="cyan", no_wrap=True)
    for heading in ("first", "last", "least", "greatest"):
        table.add_column(heading, justify="right", no_wrap=True)
    for curve in curves(model.signal):
        first, last = curve.ends()
        middles = curve.middles()
        shown = (first.middle, last.middle, min(middles), max(middles))
        table.add_row(curve.measure.short, sparkline(curve), *(number(value) for value in shown))
    console = Console(width=width, force_terminal=color, no_color=not color, highlight=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def sparkline(curve: Curve) -> str:
    """One character for each layer or stretch of layers, as high as its value is on the axis of the measure."""
    points = curve.stretches(LENGTH)
    if not curve.measure.axis(curve.middles()).log:
        return "".join(_block(point.middle) if point else GAP for point in points)
    logs = [math.log10(point.middle) if point and point.middle > 0 else None for point in points]
    low, span = _span([log for log in logs if log is not None])
    return "".join(GAP if log is None else _block((log - low) / span) for log in logs)


def _span(logs: Sequence[float]) -> tuple[float, float]:
    """Where a sparkline begins, and how many decades it spans."""
    if not logs:
        return 0.0, LEAST_DECADES
    low, high = min(logs), max(logs)
    spare = max(0.0, LEAST_DECADES - (high - low)) / 2
    return low - spare, high - low + 2 * spare


def _block(share: float) -> str:
    return BLOCKS[min(len(BLOCKS) - 1, max(0, int(share * len(BLOCKS))))]
