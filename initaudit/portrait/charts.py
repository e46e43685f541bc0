"""Charts as inline SVG, coloured by the style sheet of the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import msgspec

from initaudit.portrait.axes import Axis, counting

WIDTH, HEIGHT = 480, 232
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 12, 48
BARS_WIDTH, BARS_HEIGHT = 168, 52
SEEN_POINTS = 60  # with more points, each is shown only under the pointer
NAMED_POINTS = 200  # with more points, none has a label


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One layer, or several neighbours: depth, label, and the median and extremes over all seeds."""

    depth: float
    label: str
    low: float
    middle: float
    high: float


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a chart: its points, None for a layer without a value, and its class in the style sheet."""

    points: Sequence[Point | None]
    name: str = ""


def profile(lines: Sequence[Series], axis: Axis, *, layers: int, summary: str, colour: str, order: str) -> str:
    """Return a line chart over depth, each line with a band over seeds.

    A logarithmic axis cannot show zero: a line ends there, and a hollow dot is drawn at the bottom. ``summary`` is
    the text alternative.
    """
    place = _Plane(counting(layers), axis)
    many = " many" if any(sum(point is not None for point in one.points) > SEEN_POINTS for one in lines) else ""
    return (
        f'<svg class="chart {colour}{many}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(summary)}">'
        f'<g aria-hidden="true">{"".join(_grid(place, order))}{"".join(_drawn(one, place) for one in lines)}</g></svg>'
    )


def _drawn(line: Series, place: _Plane) -> str:
    known = [point for point in line.points if point is not None]
    runs = list(_runs(known, place.up))
    inside = [*(_band(run, place) for run in runs), *(_line(run, place) for run in runs)]
    if len(line.points) <= NAMED_POINTS:
        label = f"{line.name}, " if line.name else ""
        inside += (_dot(point, place, label) for point in known)
    return f'<g class="{line.name}">{"".join(inside)}</g>' if line.name else "".join(inside)


class _Plane:
    """Maps a depth and a value to coordinates of the drawing."""

    def __init__(self, across: Axis, up: Axis) -> None:
        self.across = across
        self.up = up

    def x(self, depth: float) -> str:
        return _number(LEFT + self.across.share(depth) * (WIDTH - LEFT - RIGHT))

    def y(self, value: float) -> str:
        share = min(1.0, max(0.0, self.up.share(value))) if value > 0 or not self.up.log else 0.0
        return _number(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM))


def _grid(place: _Plane, order: str) -> Iterator[str]:
    for tick in place.up.ticks:
        y = place.y(tick.value)
        yield f'<path class="grid" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>'
        yield f'<text class="tick" x="{LEFT - 8}" y="{y}" dy=".32em" text-anchor="end">{tick.label}</text>'
    floor = HEIGHT - BOTTOM
    for tick in place.across.ticks:
        x = place.x(tick.value)
        yield f'<text class="tick" x="{x}" y="{floor + 18}" text-anchor="middle">{tick.label}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text class="name" x="{middle:g}" y="{HEIGHT - 6}" text-anchor="middle">{escape(order)}</text>'


def _runs(points: Sequence[Point], axis: Axis) -> Iterator[list[Point]]:
    """Yield runs of points that the axis can show."""
    run: list[Point] = []
    for point in points:
        if point.middle > 0 or not axis.log:
            run.append(point)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _band(run: Sequence[Point], place: _Plane) -> str:
    upper = [f"{place.x(point.depth)} {place.y(point.high)}" for point in run]
    lower = [f"{place.x(point.depth)} {place.y(point.low)}" for point in reversed(run)]
    return f'<path class="band" d="M{"L".join(upper + lower)}Z"/>'


def _line(run: Sequence[Point], place: _Plane) -> str:
    return f'<path class="line" d="M{"L".join(f"{place.x(one.depth)} {place.y(one.middle)}" for one in run)}"/>'


def _dot(point: Point, place: _Plane, label: str) -> str:
    """Return a point with a tooltip."""
    at = f'cx="{place.x(point.depth)}" cy="{place.y(point.middle)}"'
    title = f"{label}{point.label}: {point.middle:.3g}"
    if point.low != point.high:
        title += f" ({point.low:.3g} to {point.high:.3g})"
    hollow = " hollow" if place.up.log and point.middle <= 0 else ""
    return (
        f'<g class="dot{hollow}"><circle {at} r="2.5"/><circle {at} r="9"><title>{escape(title)}</title></circle></g>'
    )


def bars(counts: Sequence[int], least: float, most: float, *, summary: str) -> str:
    """Return a histogram, with a mark at zero if it is in the range."""
    width, most_counted, path = BARS_WIDTH / len(counts), max(counts), [f"M0 {BARS_HEIGHT}"]
    for position, count in enumerate(counts, 1):
        # a nonzero count is visible, however small
        height = max(1.0, count / most_counted * (BARS_HEIGHT - 4)) if count else 0.0
        path.append(f"V{_number(BARS_HEIGHT - height)}H{_number(position * width)}")
    zero = ""
    if least < 0 < most:
        x = _number(-least / (most - least) * BARS_WIDTH)
        zero = f'<path class="zero" d="M{x} 0V{BARS_HEIGHT}"/>'
    return (
        f'<svg class="bars" viewBox="0 0 {BARS_WIDTH} {BARS_HEIGHT + 1}" role="img" aria-label="{escape(summary)}">'
        f'{zero}<path class="fill" d="{"".join(path)}V{BARS_HEIGHT}Z"/>'
        f'<path class="floor" d="M0 {BARS_HEIGHT + 0.5}H{BARS_WIDTH}"/></svg>'
    )


def _number(value: float) -> str:
    """Format a coordinate, to a tenth of a pixel."""
    return f"{value:.1f}".rstrip("0").rstrip(".")
