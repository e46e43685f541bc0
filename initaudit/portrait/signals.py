"""Signal and gradient through depth: the median and the range over several seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence

import msgspec

from initaudit.observation import Observation
from initaudit.portrait.axes import Axis, decades, shares
from initaudit.portrait.charts import Point, Series, profile
from initaudit.portrait.rows import number
from initaudit.timeline import Layer, SignalProfile

DRAWN = 200
"""Maximum number of points of a chart; with more layers, neighbours are drawn as one point."""
ORDER = "layer, in order of execution"


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity measured at every layer, once per seed; ``name`` is its field of ``Layer``.

    ``without`` says when no layer has it.
    """

    name: str
    title: str
    what: str
    short: str
    without: str
    colour: str
    axis: Callable[[Sequence[float]], Axis]

    def of(self, layer: Layer) -> tuple[float, ...]:
        """Return the values of a layer, one per seed."""
        values: tuple[float, ...] = getattr(layer, self.name)
        return values


MEASURES = (
    Measure(
        name="rms",
        title="Activation rms",
        what="of each layer's output, before the activation",
        short="activation rms",
        without="no output of a weight could be measured",
        colour="blue",
        axis=decades,
    ),
    Measure(
        name="gradient",
        title="Gradient rms",
        what="of each weight, for a random gradient at the output",
        short="gradient rms",
        without="no gradient reached a weight",
        colour="teal",
        axis=decades,
    ),
    Measure(
        name="discrimination",
        title="Discrimination",
        what="the part of the output that varies with the input",
        short="discrimination",
        without="no output depends on inputs that differ",
        colour="plum",
        axis=decades,
    ),
    Measure(
        name="dead",
        title="Dead units",
        what="units before a rectifier that no sample activates",
        short="dead",
        without="no measured layer is followed by a rectifier",
        colour="ochre",
        axis=lambda values: shares(),
    ),
)


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """One measure through depth; None for a layer without a value."""

    measure: Measure
    points: tuple[Point | None, ...]

    def ends(self) -> tuple[Point, Point]:
        """Return the first and the last layer with a value."""
        known = [point for point in self.points if point is not None]
        return known[0], known[-1]

    def middles(self) -> list[float]:
        """Return the median over seeds for every layer with a value."""
        return [point.middle for point in self.points if point is not None]

    def summary(self) -> str:
        """Return the curve in words."""
        first, last = self.ends()
        known = self.middles()
        zeros = sum(middle == 0 for middle in known)
        none = f"; zero at {zeros} of {len(known)} layers" if zeros else ""
        return (
            f"{self.measure.title} by layer: {number(first.middle)} at {first.label}, "
            f"{number(last.middle)} at {last.label}, between {number(min(known))} and {number(max(known))}{none}"
        )

    def drawn(self, axis: Axis | None = None, colour: str = "") -> str:
        """Return the curve as a chart, by default on its own axis and in its own colour."""
        points = self.stretches(DRAWN)
        return profile(
            [Series(points=points)],
            axis or self.measure.axis(_bounds(points)),
            layers=len(self.points),
            summary=self.summary(),
            colour=colour or self.measure.colour,
            order=ORDER,
        )

    def stretches(self, at_most: int) -> list[Point | None]:
        """Return at most ``at_most`` points; neighbours share one, with their median and extremes."""
        length = math.ceil(len(self.points) / at_most)
        if length <= 1:
            return list(self.points)
        starts = range(0, len(self.points), length)
        return [_together(self.points[start : start + length]) for start in starts]


def both_drawn(before: Curve, after: Curve) -> str:
    """Return two curves of one measure as one chart."""
    lines = [Series(points=one.stretches(DRAWN), name=name) for one, name in ((before, "before"), (after, "after"))]
    return profile(
        lines,
        after.measure.axis([bound for line in lines for bound in _bounds(line.points)]),
        layers=max(len(before.points), len(after.points)),
        summary=f"Before: {before.summary()}. After: {after.summary()}",
        colour=after.measure.colour,
        order=ORDER,
    )


def _bounds(points: Sequence[Point | None]) -> list[float]:
    return [bound for point in points if point is not None for bound in (point.low, point.middle, point.high)]


def unmeasured(model: Observation) -> Iterator[str]:
    """Yield a sentence for each chart that a model does not have: why it was not measured."""
    signal = model.signal
    if signal is None or not signal.layers:
        reasons = (one.reason for one in model.undecided if SignalProfile.__name__ in one.unseen)
        reason = next(reasons, signal.skipped.get("layers") if signal is not None else None)
        yield f"There are no charts of the signal: {_why(reason) or 'the selected rules need no forward pass'}."
        return
    drawn = {curve.measure.name for curve in curves(signal)}
    for measure in MEASURES:
        if measure.name not in drawn:
            reason = signal.skipped.get(measure.name)
            yield f"There is no chart of {measure.title.lower()}: {_why(reason) or measure.without}."


def _why(reason: str | None) -> str:
    """Return the cause in a sentence such as "the signal was not judged: its inputs are unknown"."""
    what, _, cause = (reason or "").partition(" not judged: ")
    return cause or what


def curves(signal: SignalProfile) -> Iterator[Curve]:
    """Yield a curve for every measure with a value at any layer."""
    for measure in MEASURES:
        points = tuple(_point(depth, layer.path, measure.of(layer)) for depth, layer in enumerate(signal.layers, 1))
        if any(point is not None for point in points):
            yield Curve(measure=measure, points=points)


def _point(depth: int, label: str, values: Sequence[float]) -> Point | None:
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return None
    middle = statistics.median(finite)
    return Point(depth=depth, label=f"{depth}. {label}", low=min(finite), middle=middle, high=max(finite))


def _together(neighbours: Sequence[Point | None]) -> Point | None:
    known = [point for point in neighbours if point is not None]
    if not known:
        return None
    return Point(
        depth=statistics.fmean(point.depth for point in known),
        label=f"{known[0].label} to {known[-1].label}",
        low=min(point.low for point in known),
        middle=statistics.median(point.middle for point in known),
        high=max(point.high for point in known),
    )
