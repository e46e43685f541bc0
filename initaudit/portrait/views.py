"""What the page shows of one model: formatted numbers, rows and charts."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence

import msgspec

from initaudit.observation import Observation, Undecided
from initaudit.portrait.charts import bars
from initaudit.portrait.rows import Row, line, number, row_of, size, together
from initaudit.portrait.signals import Curve, curves, unmeasured
from initaudit.portrait.titles import Title, place_in_words, title_of
from initaudit.timeline import Coverage, InitialLoss, Kind, Layer, ParameterTimeline, SignalProfile

AS_THEY_ARE = 120
"""With more parameters than this, those that repeat from block to block share a row."""
HISTOGRAMS = 60
CONSTANTS_NAMED = 3


class Cells(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table of parameters, formatted."""

    path: str
    count: int
    buffer: bool
    shape: str
    elements: int
    dtype: str
    by: str
    problem: str  # "never written", "partly written", or empty
    at: str
    place: str  # the same in full
    scheme: str
    mean: str
    std: str
    min: str
    max: str
    odd: int


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """The values of one parameter."""

    path: str
    svg: str
    least: str
    most: str
    problem: str


class Constant(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters whose elements all have the same value."""

    value: str
    count: int
    paths: str


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A number of the model with its name; ``rest`` explains it."""

    name: str
    value: str
    rest: str = ""


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A measure through depth."""

    title: str
    what: str
    short: str
    svg: str


class LayerCells(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table of layers, with one number per chart."""

    number: int
    path: str
    activation: str
    numbers: tuple[str, ...]


class ModelView(msgspec.Struct, frozen=True, kw_only=True):
    """One model. ``more_rows`` and ``more_histograms`` count what is not shown."""

    target: str
    title: Title
    facts: tuple[Fact, ...]
    rows: tuple[Row, ...]
    cells: tuple[Cells, ...]
    parameters: int
    more_rows: int
    histograms: tuple[Histogram, ...]
    more_histograms: int
    constants: tuple[Constant, ...]
    charts: tuple[Chart, ...]
    unmeasured: tuple[str, ...]
    signal_words: str
    measured: tuple[Layer, ...]
    layers: tuple[LayerCells, ...]
    more_layers: int
    environment: tuple[Fact, ...]
    undecided: tuple[Undecided, ...]
    more_undecided: int


def view(model: Observation, at_most: int, relative: Callable[[str], str]) -> ModelView:
    """Return the view of a model, with at most ``at_most`` rows in each list.

    ``relative`` returns a path relative to its repository.
    """
    rows = [row_of(timeline) for timeline in model.tensors]
    if len(rows) > AS_THEY_ARE:
        rows = together(rows)
    drawn = [timeline for timeline in _first_of_each(model.tensors) if timeline.values and timeline.values.counts]
    shown = min(at_most, HISTOGRAMS)
    signal = model.signal
    drawn_curves = list(curves(signal)) if signal else []
    layers = signal.layers if signal else ()
    return ModelView(
        target=model.source,
        title=title_of(model.source, relative),
        facts=tuple(_facts(model)) if model.parameters else (),
        rows=tuple(rows[:at_most]),
        cells=tuple(_cells(row, relative) for row in rows[:at_most]),
        parameters=len(model.tensors),
        more_rows=max(0, len(rows) - at_most),
        histograms=tuple(_histogram(timeline) for timeline in drawn[:shown]),
        more_histograms=max(0, len(drawn) - shown),
        constants=tuple(_constants(model.parameters)),
        charts=tuple(_chart(curve) for curve in drawn_curves),
        unmeasured=tuple(unmeasured(model)) if model.parameters else (),
        signal_words=_signal_words(signal) if signal else "",
        measured=layers[:at_most],
        layers=tuple(_layer(depth, layer, drawn_curves) for depth, layer in enumerate(layers[:at_most], 1)),
        more_layers=max(0, len(layers) - at_most),
        environment=tuple(_environment(model)),
        undecided=model.undecided[:at_most],
        more_undecided=max(0, len(model.undecided) - at_most),
    )


def _facts(model: Observation) -> Iterable[Fact]:
    parameters = [one for one in model.tensors if one.kind is Kind.PARAMETER]
    buffers = [one for one in model.tensors if one.kind is Kind.BUFFER]
    elements = sum(row_of(one).elements for one in parameters)
    yield Fact(name="Parameters", value=amount(elements), rest=f"in {tensors(len(parameters))}")
    if buffers:
        elements = sum(row_of(one).elements for one in buffers)
        yield Fact(name="Buffers", value=amount(elements), rest=f"in {tensors(len(buffers))}")
    unwritten = [one.unwritten for one in model.parameters if one.unwritten]
    if unwritten:
        total = sum(one.total for one in unwritten)
        missing = sum(one.elements for one in unwritten)
        rest = f"of {amount(total)} elements in {tensors(len(unwritten))}"
        yield Fact(name="Never written", value=amount(missing), rest=rest)
    if model.signal:
        yield from _signal_facts(model.signal)


def _signal_facts(signal: SignalProfile) -> Iterable[Fact]:
    measured = [(layer.units, statistics.median(layer.dead)) for layer in signal.layers if layer.dead and layer.units]
    if measured:
        units = sum(count for count, _ in measured)
        dead = sum(count * share for count, share in measured)
        yield Fact(
            name="Dead units",
            value=f"{dead / units:.1%}".replace(".0%", "%"),
            rest=f"of {amount(units)} before a rectifier",
        )
    for loss in signal.losses:
        yield _loss(loss, "Initial loss" if len(signal.losses) == 1 else f"Initial loss of {loss.path}")


def _loss(loss: InitialLoss, name: str) -> Fact:
    excess, chance = statistics.median(loss.excess), math.log(loss.classes)
    guess = f"the loss of guessing among {loss.classes:,} classes"
    if abs(excess) >= 0.005:
        guess = f"{_nats(abs(excess))} {'above' if excess > 0 else 'below'} {guess}"
    return Fact(name=name, value=f"{_nats(chance + excess)} nats", rest=guess)


def _nats(loss: float) -> str:
    return f"{loss:.2f}" if abs(loss) < 1000 else f"{loss:.2e}"


def _signal_words(signal: SignalProfile) -> str:
    """Return how many layers were measured, on which inputs and seeds."""
    given = f" on {', '.join(signal.inputs)}" if signal.inputs else ""
    count = len(signal.seeds)
    seeds = f"the line is the median of {count} seeds, the band their range" if count > 1 else "from one seed"
    return f"{len(signal.layers)} layers{given}; {seeds}."


def _chart(curve: Curve) -> Chart:
    measure = curve.measure
    return Chart(title=measure.title, what=measure.what, short=measure.short, svg=curve.drawn())


def _layer(depth: int, layer: Layer, drawn: Sequence[Curve]) -> LayerCells:
    points = [curve.points[depth - 1] for curve in drawn]
    return LayerCells(
        number=depth,
        path=layer.path,
        activation=layer.activation or "",
        numbers=tuple(number(point.middle) if point else "" for point in points),
    )


def _environment(model: Observation) -> Iterable[Fact]:
    where, signal = model.environment, model.signal
    if where:
        yield Fact(name="Python", value=where.python)
        yield Fact(name="torch", value=where.torch)
        yield Fact(name="Platform", value=where.platform)
        yield Fact(name="Device", value=where.device)
        yield Fact(name="Default dtype", value=where.dtype)
    seeds = signal.seeds if signal else (where.seed,) if where else ()
    if seeds:
        yield Fact(name="Seed" if len(seeds) == 1 else "Seeds", value=", ".join(map(str, seeds)))
    if signal and signal.inputs:
        yield Fact(name="Inputs", value=", ".join(signal.inputs))


def tensors(count: int) -> str:
    """Format a number of tensors."""
    return f"{count:,} tensor{'' if count == 1 else 's'}"


def amount(count: int) -> str:
    """Format a number of elements with three digits: "11.7 M"."""
    if count < 10_000:
        return f"{count:,}"
    power = min(4, int(math.log10(count)) // 3)
    return f"{count / 1000**power:.3g} {' kMGT'[power]}"


def _cells(row: Row, relative: Callable[[str], str]) -> Cells:
    return Cells(
        path=row.path,
        count=row.count,
        buffer=row.kind is Kind.BUFFER,
        shape=size(row.shape),
        elements=row.elements,
        dtype=row.dtype,
        by=row.by,
        problem=_problem(row.coverage),
        at=line(row.at),
        place=place_in_words(row.at, relative) if row.at else "",
        scheme=row.scheme,
        mean=number(row.mean),
        std=number(row.std),
        min=number(row.min),
        max=number(row.max),
        odd=row.odd,
    )


def _problem(coverage: Coverage) -> str:
    return {Coverage.NEVER: "never written", Coverage.PARTIAL: "partly written"}.get(coverage, "")


def _first_of_each(parameters: Sequence[ParameterTimeline]) -> list[ParameterTimeline]:
    """Return the parameters; in a large model, one of those that repeat from block to block."""
    if len(parameters) <= AS_THEY_ARE:
        return list(parameters)
    kept: dict[tuple[object, ...], ParameterTimeline] = {}
    for timeline in parameters:
        (row,) = together([row_of(timeline), row_of(timeline)])
        kept.setdefault((row.path, row.coverage, row.shape), timeline)
    return list(kept.values())


def _histogram(timeline: ParameterTimeline) -> Histogram:
    values, path = timeline.values, timeline.path or timeline.name
    assert values and values.min is not None and values.max is not None
    problem = _problem(timeline.coverage)
    summary = (
        f"Histogram of {path}: from {number(values.min)} to {number(values.max)}, "
        f"mean {number(values.mean)}, standard deviation {number(values.std)}"
    )
    return Histogram(
        path=path,
        svg=bars(values.counts, values.min, values.max, summary=summary),
        least=number(values.min),
        most=number(values.max),
        problem=problem,
    )


def _constants(parameters: Sequence[ParameterTimeline]) -> Iterable[Constant]:
    """Yield the parameters whose elements all have the same value, the most frequent value first."""
    by_value: dict[float, list[str]] = {}
    for one in parameters:
        if one.values and one.values.min is not None and one.values.min == one.values.max and not row_of(one).odd:
            by_value.setdefault(one.values.min, []).append(one.path or one.name)
    for value, paths in sorted(by_value.items(), key=lambda item: -len(item[1])):
        more = f" and {len(paths) - CONSTANTS_NAMED:,} more" if len(paths) > CONSTANTS_NAMED else ""
        yield Constant(value=number(value), count=len(paths), paths=", ".join(paths[:CONSTANTS_NAMED]) + more)
