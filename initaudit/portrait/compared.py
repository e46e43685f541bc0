"""Two runs of the probe side by side: as text, Markdown and JSON, and as the page shows them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from initaudit.comparison import Comparison, Measured, ParameterChange, Passage, Turnover, named, turnover
from initaudit.finding import Severity
from initaudit.observation import Observation
from initaudit.portrait.columns import Cell, Column, printed, table
from initaudit.portrait.rows import NUMBER, Row, joined, number, row_of, size
from initaudit.portrait.table import Table, TableError
from initaudit.report import plain_json
from initaudit.report.base import json_text, printable
from initaudit.report.markdown import escaped
from initaudit.timeline import Coverage

SCHEMA_VERSION = 1
SHOWN = 40
"""Maximum number of rows of changed parameters in a text."""


def _both(least: int, second: str, rank: int) -> Iterator[Column]:
    """Yield the columns of both runs: a text, and a number beside it."""
    for run in ("before", "after"):
        yield Column(heading=run, least=least)
        yield Column(heading=second, rank=rank, right=True)


MEASURES = (Column(heading="measure", least=8), Column(heading="of", rank=6), *_both(8, "decades", 1))
PARAMETERS = (Column(heading="parameter", least=16), Column(heading="change", least=8), *_both(12, "std", 3))
PAINT = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "cyan"}
SAME = "no parameter differs by more than two seeds do"


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One model in both runs, by its target; ``was`` is its former target if that differs."""

    target: str
    was: str
    comparison: Comparison


class Runs(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs of the probe, by the names of their files.

    ``findings`` is None if a table has none. ``only`` lists targets that one of the runs alone has, with its name.
    """

    before: str
    after: str
    pairs: tuple[Pair, ...]
    findings: Turnover | None
    only: tuple[tuple[str, str], ...] = ()

    @property
    def worse(self) -> int:
        """How many things got worse: new errors and warnings, and harm to a model."""
        findings = len(self.findings.worse) if self.findings is not None else 0
        return findings + sum(len(pair.comparison.harm) for pair in self.pairs)

    @property
    def verdict(self) -> str:
        """One sentence about the outcome."""
        gone = len(self.findings.gone) if self.findings is not None else 0
        left = f", {_count(gone, 'finding')} gone" if gone else ""
        if self.worse:
            return f"worse in {_count(self.worse, 'respect')}{left}"
        if gone:
            return f"better: {_count(gone, 'finding')} gone, and nothing got worse"
        if any(pair.comparison.parameters for pair in self.pairs):
            return "different: parameters changed, and nothing got worse"
        return f"the same: {SAME}"


def runs(before: Table, after: Table, names: tuple[str, str]) -> Runs:
    """Match the models of two runs by target, or the only ones by their parameters; raises TableError."""
    was = {one.source: one for one in before.models}
    now = {one.source: one for one in after.models}
    matched = [(target, target) for target in now if target in was]
    if not matched and len(was) == len(now) == 1:
        matched = [(next(iter(was)), next(iter(now)))]
    for old, new in matched:
        if old != new and not _resemble(was[old], now[new]):
            matched = []
    if not matched:
        raise TableError(
            f"{names[1]}: its models are {_listed(now)}, and those of {names[0]} are {_listed(was)}; none match"
        )
    only = [(target, names[0]) for target in was if target not in dict(matched)]
    only += [(target, names[1]) for target in now if target not in {new for _, new in matched}]
    known = before.findings is not None and after.findings is not None
    renamed = any(old != new for old, new in matched)
    findings = turnover(before.findings or (), after.findings or (), renamed=renamed) if known else None
    reported = frozenset(name for finding in (findings.new if findings else ()) for name in finding.subjects)
    return Runs(
        before=names[0],
        after=names[1],
        pairs=tuple(
            Pair(target=new, was=old, comparison=Comparison(before=was[old], after=now[new], reported=reported))
            for old, new in matched
        ),
        findings=findings,
        only=tuple(only),
    )


def _resemble(one: Observation, other: Observation) -> bool:
    """Whether two models have a parameter of the same path."""
    return bool({parameter.path for parameter in one.parameters} & {parameter.path for parameter in other.parameters})


def _listed(models: Iterable[str]) -> str:
    return ", ".join(f"`{target}`" for target in models) or "none"


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """How a parameter is initialized in one of the runs: in words, and the standard deviation if it is drawn."""

    words: str = ""
    std: float | None = None

    def __str__(self) -> str:
        return self.words + (f", std {number(self.std)}" if self.std is not None else "")


class ChangedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A changed parameter, or several that changed alike; ``bad`` if it is not fully written or not finite now."""

    path: str
    count: int
    what: str
    before: Side
    after: Side
    bad: bool


def changed_rows(changes: Iterable[ParameterChange]) -> list[ChangedRow]:
    """Return a row for each change; parameters that differ only by numbers in their paths share one."""
    groups: dict[tuple[object, ...], list[tuple[Row | None, Row | None, str]]] = {}
    for change in changes:
        was, now = (None if one is None else row_of(one) for one in (change.before, change.after))
        key = (NUMBER.sub("*", change.path), change.what, *(_kept(row) for row in (was, now)))
        groups.setdefault(key, []).append((was, now, in_words(change)))
    return [_changed_row(group) for group in groups.values()]


def in_words(change: ParameterChange) -> str:
    """Return what changed of a parameter, in words."""
    if change.after is not None and "coverage" in change.what:
        written = change.after.coverage is Coverage.WRITTEN
        said = "now written" if written else f"coverage {change.after.coverage.value}"
        said = "no longer written" if change.after.coverage is Coverage.NEVER else said
        return ", ".join([said, *(word for word in change.what if word not in ("coverage", "scheme"))])
    return ", ".join(change.what)


def _kept(row: Row | None) -> tuple[object, ...]:
    return () if row is None else (row.coverage, row.shape, row.dtype, row.by, row.scheme)


def _changed_row(group: Sequence[tuple[Row | None, Row | None, str]]) -> ChangedRow:
    before = [was for was, _, _ in group if was is not None]
    after = [now for _, now, _ in group if now is not None]
    was, now = (joined(rows) if rows else None for rows in (before, after))
    one = now or was
    assert one is not None
    moved = "mean" in group[0][2].split(", ")
    return ChangedRow(
        path=one.path,
        count=len(group),
        what=group[0][2],
        before=_described(was, now, moved=moved),
        after=_described(now, was, moved=moved),
        bad=now is not None and (now.coverage in (Coverage.NEVER, Coverage.PARTIAL) or bool(now.odd)),
    )


def _described(row: Row | None, other: Row | None, *, moved: bool) -> Side:
    """Describe how a parameter is initialized, what else differs from the other run, and the mean if that moved."""
    if row is None:
        return Side()
    parts = []
    if other is None or row.shape != other.shape:
        parts.append(size(row.shape))
    if other is not None and row.dtype != other.dtype and row.dtype and other.dtype:
        parts.append(row.dtype)
    if row.coverage is Coverage.NEVER:
        return Side(words=", ".join([*parts, "never written"]))
    if row.coverage is Coverage.PARTIAL:
        parts.append("partly written")
    constant = row.min is not None and row.min == row.max
    by = f"all {number(row.min)}" if constant else row.by.removeprefix("init.")
    parts.append(row.scheme.partition(" (")[0] or by)
    if not constant and moved and row.mean is not None:
        parts.append(f"mean {number(row.mean)}")
    if row.odd:
        parts.append(f"{row.odd} not finite")
    return Side(words=", ".join(filter(None, parts)), std=None if constant else row.std)


def counts(comparison: Comparison) -> str:
    """Return how many parameters changed, are new and are gone."""
    changes = comparison.parameters
    new, gone = (sum(one.what == (word,) for one in changes) for word in ("new", "gone"))
    total = len(comparison.after.parameters) if comparison.after is not None else 0
    changed = len(changes) - new - gone
    parts = [f"{changed} of {_count(total, 'parameter')} changed"]
    parts += [f"{many} {word}" for many, word in ((new, "new"), (gone, "gone")) if many]
    return ", ".join(parts)


def as_text(these: Runs, *, width: int, color: bool) -> str:
    """Return the comparison for a terminal."""
    parts = [_model_as_text(these, pair, width, color=color) for pair in these.pairs]
    parts.append("".join(_painted(line, style, width, color=color) for line, style in _end(these)))
    return "\n".join(parts)


def _model_as_text(these: Runs, pair: Pair, width: int, *, color: bool) -> str:
    comparison = pair.comparison
    title = pair.target if pair.was == pair.target else f"{pair.was} -> {pair.target}"
    text = _painted(title, "bold", width, color=color)
    text += _painted(f"before: {these.before}, after: {these.after}", "dim", width, color=color)
    for condition in comparison.conditions:
        text += _painted(f"the runs differ in {condition}; this may explain differences", "", width, color=color)
    if comparison.measures:
        text += "\n" + table(MEASURES, list(map(_measure_cells, comparison.measures)), width, color=color)
    else:
        text += _painted("no forward was measured in either run", "dim", width, color=color)
    text += "\n" + _painted(counts(comparison), "", width, color=color)
    rows = [_cells(row) for row in changed_rows(comparison.parameters)]
    if rows:
        text += "\n" + table(PARAMETERS, rows[:SHOWN], width, color=color)
    if len(rows) > SHOWN:
        more = f"and {len(rows) - SHOWN} more rows; `--output-format json` lists all parameters"
        text += _painted(more, "dim", width, color=color)
    return text + "".join(_painted(f"worse: {line}", "bold yellow", width, color=color) for line in comparison.harm)


def _measure_cells(one: Measured) -> list[Cell]:
    sides = [cell for side in (one.before, one.after) for cell in (Cell(_passed(side)), Cell(_rise(side)))]
    return [Cell(one.name), Cell(one.of, "dim"), *sides]


def _rise(passage: Passage | None) -> str:
    return f"{passage.decades:+.2f}" if passage is not None and passage.decades is not None else ""


def _cells(row: ChangedRow) -> list[Cell]:
    path = f"{row.path} ({row.count})" if row.count > 1 else row.path
    sides = [text for side in (row.before, row.after) for text in (side.words, number(side.std))]
    style = "bold yellow" if row.bad else ""
    return [Cell(printable(text), style) for text in (path, row.what, *sides)]


def _painted(line: str, style: str, width: int, *, color: bool) -> str:
    from rich.text import Text

    return printed(Text(printable(line), style), width, color=color)


def stated(passage: Passage | None) -> str:
    """Return a measure in words."""
    return "not measured" if passage is None else str(passage)


def _passed(passage: Passage | None) -> str:
    return "not measured" if passage is None else passage.ends


def _end(these: Runs) -> Iterator[tuple[str, str]]:
    """Yield the lines about findings, and the verdict, with their styles."""
    for target, name in these.only:
        yield f"only in {name}: {target}", ""
    if these.findings is None:
        yield "findings were not compared: a table that an earlier version wrote has none", "dim"
    else:
        for one in these.findings.gone:
            yield f"gone: {named(one)}", "green"
        for one in these.findings.new:
            yield f"new: {named(one)}: {one.message}", PAINT[one.severity]
        for was, now in these.findings.stayed:
            rise = f" (before: {was.severity.value})" if was.severity is not now.severity else ""
            yield f"still: {named(now)}{rise}", ""
    yield these.verdict, "bold"


def as_markdown(these: Runs) -> str:
    """Return the comparison for a summary of a CI job or for a review."""
    lines = [f"**{_capital(these.verdict)}**", ""]
    for pair in these.pairs:
        comparison = pair.comparison
        lines += [f"### {escaped(pair.target)}", ""]
        lines += [f"- the runs differ in {escaped(condition)}" for condition in comparison.conditions]
        lines += [f"- worse: {line}" for line in comparison.harm]
        measured = [(f"{one.name}, {one.of}", *map(stated, (one.before, one.after))) for one in comparison.measures]
        lines += _grid(("measure", "before", "after"), measured)
        lines += [f"{counts(comparison)}.", ""]
        changed = [
            (f"`{row.path}`" + (f" ({row.count})" if row.count > 1 else ""), row.what, f"{row.before}", f"{row.after}")
            for row in changed_rows(comparison.parameters)[:SHOWN]
        ]
        lines += _grid(("parameter", "change", "before", "after"), changed)
    lines += [f"- {escaped(line)}" for line, style in _end(these) if style != "bold"]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    head = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    return ["", *head, *(f"| {' | '.join(map(escaped, row))} |" for row in rows), ""]


def as_json(these: Runs) -> str:
    """Return the comparison for programs."""
    found = these.findings
    models = [
        {
            "target": pair.target,
            "target_before": pair.was,
            "conditions": list(pair.comparison.conditions),
            "measures": [_measure_as_data(one) for one in pair.comparison.measures],
            "parameters": [_change_as_data(one) for one in pair.comparison.parameters],
            "harm": list(pair.comparison.harm),
        }
        for pair in these.pairs
    ]
    findings = None
    if found is not None:
        findings = {
            "gone": [plain_json.as_json(one) for one in found.gone],
            "new": [plain_json.as_json(one) for one in found.new],
            "stayed": [plain_json.as_json(now) for _, now in found.stayed],
        }
    document = {
        "schema_version": SCHEMA_VERSION,
        "before": these.before,
        "after": these.after,
        "verdict": these.verdict,
        "worse": these.worse,
        "models": models,
        "only": [{"target": target, "file": name} for target, name in these.only],
        "findings": findings,
    }
    return json_text(document, indent=2)


def _measure_as_data(one: Measured) -> dict[str, Any]:
    sides = {"before": one.before, "after": one.after}
    return {"measure": one.field, **{name: _passage_as_data(side) for name, side in sides.items()}}


def _passage_as_data(passage: Passage | None) -> dict[str, Any] | None:
    # through msgspec, which writes what is not finite as null
    if passage is None:
        return None
    data = {"first": passage.first, "last": passage.last, "decades": passage.decades}
    finite: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(data))
    return finite


def _change_as_data(one: ParameterChange) -> dict[str, Any]:
    sides = {"before": one.before, "after": one.after}
    return {
        "path": one.path,
        "change": list(one.what),
        **{name: None if side is None else _row_as_data(row_of(side)) for name, side in sides.items()},
    }


def _row_as_data(row: Row) -> dict[str, Any]:
    return {
        "coverage": row.coverage.value,
        "shape": row.shape,
        "dtype": row.dtype,
        "written_by": row.by,
        "scheme": row.scheme,
        "mean": row.mean,
        "std": row.std,
        "min": row.min,
        "max": row.max,
    }


FORMATS: dict[str, Callable[[Runs], str]] = {"json": as_json, "markdown": as_markdown}


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _count(many: int, noun: str) -> str:
    return f"{many:,} {noun}{'' if many == 1 else 's'}"
