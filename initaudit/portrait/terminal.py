"""Show a built model on a terminal: its inputs, its parameters and what wrote them, and signal through depth.

Suspicious parameters come first. rich, which prints the tables, is imported only if there is one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from initaudit.finding import Finding, Severity
from initaudit.observation import Observation
from initaudit.portrait import built
from initaudit.portrait.columns import GAP, Cell, Column, printed, table
from initaudit.portrait.rows import Row, line, number, row_of, size, together
from initaudit.portrait.signals import curves
from initaudit.portrait.sparklines import LENGTH, sparkline
from initaudit.report.base import printable
from initaudit.timeline import Coverage, Kind, ParameterTimeline

SHOWN, SUSPICIOUS_SHOWN = 20, 40
"""Maximum number of rows of a model, and of rows if all of them are suspicious."""
FEW = 3
"""So few further rows are shown rather than hidden."""
SHORTEST = 3
"""Minimum number of layers for a table of signal through depth."""
COLUMNS = (
    Column(heading="rule", rank=1),
    Column(heading="parameter", least=16),
    Column(heading="shape", rank=3),
    Column(heading="written by", least=12),
    Column(heading="at", rank=2),
    Column(heading="scheme", rank=5, least=18, cut=True),
    Column(heading="mean", rank=6, right=True),
    Column(heading="std", rank=4, right=True),
    Column(heading="min", rank=7, right=True),
    Column(heading="max", rank=8, right=True),
)
MEASURED = (
    Column(heading="measure"),
    Column(heading="first to last layer", least=8),
    Column(heading="first", rank=1, right=True),
    Column(heading="last", rank=2, right=True),
    Column(heading="min", rank=3, right=True),
    Column(heading="max", rank=4, right=True),
)
NUMBERS = 44
"""Width of four numbers, in columns of a terminal."""
PAINT = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "cyan"}


class Suspicion(msgspec.Struct, frozen=True, kw_only=True):
    """Why a parameter is shown first: rules report it, or its memory is unwritten or not finite."""

    codes: tuple[str, ...] = ()
    severity: Severity | None = None
    unsound: bool = False

    @property
    def rank(self) -> int:
        """The order in the table, highest first; 0 for a parameter without suspicion."""
        return self.severity.rank + 2 if self.severity is not None else int(self.unsound)

    @property
    def style(self) -> str:
        return PAINT[self.severity] if self.severity is not None else "bold yellow" if self.unsound else ""


def portraits(
    observations: Iterable[Observation],
    findings: Sequence[Finding],
    *,
    width: int,
    color: bool,
    every: bool = False,
    given: Collection[str] = (),
    depth: bool = True,
) -> str:
    """Return the tables of every built model.

    ``every`` gives each parameter its own row; ``given`` holds the targets whose inputs the user gave. ``depth`` adds
    signal through depth.
    """
    return "\n".join(
        _portrait(one, findings, width, color=color, every=every, given=one.source in given, depth=depth)
        for one in built(observations)
        if one.parameters
    )


def _portrait(
    model: Observation, findings: Sequence[Finding], width: int, *, color: bool, every: bool, given: bool, depth: bool
) -> str:
    from rich.text import Text

    head = Text(printable(model.source), "bold")
    for fact in _facts(model, given=given):
        head.append(f"\n{printable(fact)}", "not bold dim")
    rows = _rows(model, findings, every=every)
    limit = max(SHOWN, min(SUSPICIOUS_SHOWN, sum(bool(why.rank) for _, why in rows)))
    limit = len(rows) if every or len(rows) <= limit + FEW else limit
    text = printed(head, width, color=color) + "\n"
    text += table(COLUMNS, [_cells(row, why) for row, why in rows[:limit]], width, color=color)
    if hidden := rows[limit:]:
        count = sum(row.count for row, _ in hidden)
        dubious = sum(bool(why.rank) for _, why in hidden)
        kind = f"{dubious} of them suspicious" if dubious else "none suspicious"
        rest = f"and {count} more in {_count(len(hidden), 'row')}, {kind}; `--all-parameters` shows all"
        text += printed(Text(rest, "dim"), width, color=color)
    if depth and model.signal is not None and len(model.signal.layers) >= SHORTEST:
        text += "\n" + _depth(model, width, color=color)
    return text


def _facts(model: Observation, *, given: bool) -> Iterator[str]:
    """Yield the size of a model, and the inputs of its forward."""
    kinds = [one.kind for one in model.tensors]
    counts = [_count(kinds.count(kind), kind.value) for kind in Kind if kind in kinds]
    elements = sum(row_of(one).elements for one in model.tensors)
    yield f"{' and '.join(counts)}, {_count(elements, 'element')}"
    if model.signal is None:
        yield "no forward was measured; `--show-unknown` says why"
        return
    signal = model.signal
    whose = "" if given else " (inferred; `--input-size` sets another)"
    seeds = f", seeds {signal.seeds[0]} to {signal.seeds[-1]}" if len(signal.seeds) > 1 else ""
    yield f"input {', '.join(signal.inputs) or 'none'}{whose}{seeds}"


def _rows(model: Observation, findings: Sequence[Finding], *, every: bool) -> list[tuple[Row, Suspicion]]:
    """Return the rows of a model: suspicious ones first, the worst on top, else in the order of the model."""
    alike: dict[Suspicion, list[Row]] = {}
    for timeline in model.tensors:
        alike.setdefault(_suspicion(timeline, findings), []).append(row_of(timeline))
    worst_first = sorted(alike, key=lambda why: -why.rank)
    return [(row, why) for why in worst_first for row in (alike[why] if every else together(alike[why]))]


def _suspicion(timeline: ParameterTimeline, findings: Sequence[Finding]) -> Suspicion:
    reported = about(timeline, findings)
    values = timeline.values
    unwritten = timeline.coverage in (Coverage.NEVER, Coverage.PARTIAL) or timeline.influenced
    return Suspicion(
        codes=tuple(sorted({one.code for one in reported})),
        severity=max((one.severity for one in reported), key=lambda one: one.rank, default=None),
        unsound=unwritten or (values is not None and bool(values.nan or values.inf)),
    )


def about(timeline: ParameterTimeline, findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings about a parameter. Modules are ignored, since observers may import a class from two."""
    cls = timeline.model.rpartition(".")[2]
    return [one for one in findings if timeline.name in one.subjects and (one.model or "").rpartition(".")[2] == cls]


def _cells(row: Row, why: Suspicion) -> list[Cell]:
    path = f"{row.path} ({row.count})" if row.count > 1 else row.path
    written = row.coverage is Coverage.WRITTEN or not why.rank
    texts = (
        Cell(" ".join(why.codes), why.style),
        Cell(path, why.style),
        Cell(size(row.shape)),
        Cell(row.by.removeprefix("init."), "" if written else why.style),
        Cell(line(row.at), "dim"),
        Cell(row.scheme, "dim" if row.coverage is Coverage.NEVER else "green"),
        *(Cell(number(value)) for value in (row.mean, row.std, row.min, row.max)),
    )
    return [Cell(printable(cell.text), cell.style) for cell in texts]


def _depth(model: Observation, width: int, *, color: bool) -> str:
    """Return the table of signal through depth."""
    from rich.text import Text

    assert model.signal
    measured = list(curves(model.signal))
    if not measured:
        return ""
    seeds = len(model.signal.seeds)
    title = f"signal through {len(model.signal.layers)} layers, {_count(seeds, 'seed')}"
    names = max(len(one.measure.short) for one in measured)
    length = max(8, min(LENGTH, width - names - GAP - NUMBERS))
    rows = []
    for curve in measured:
        first, last = curve.ends()
        middles = curve.middles()
        shown = (first.middle, last.middle, min(middles), max(middles))
        rows.append(
            [
                Cell(curve.measure.short),
                Cell(sparkline(curve, length), "cyan"),
                *(Cell(number(value)) for value in shown),
            ]
        )
    return printed(Text(title, "bold"), width, color=color) + table(MEASURED, rows, width, color=color)


def _count(many: int, noun: str) -> str:
    return f"{many:,} {noun}{'' if many == 1 else 's'}"
