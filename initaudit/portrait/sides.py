"""What the page shows of two builds of a model, side by side."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import msgspec

from initaudit.comparison import Comparison, Measured, Passage, Turnover
from initaudit.finding import Finding
from initaudit.portrait.compared import ChangedRow, changed_rows, counts
from initaudit.portrait.signals import MEASURES, Measure, both_drawn, curves
from initaudit.portrait.titles import place_in_words
from initaudit.portrait.views import Chart


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """A measure in one of the builds, and how far it rises through depth."""

    value: str
    rise: str


class MeasureRow(msgspec.Struct, frozen=True, kw_only=True):
    """A measure before and after, in words."""

    name: str
    of: str
    before: Value
    after: Value


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that is gone, new, or still there."""

    word: str
    finding: Finding
    where: str


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """Two builds of a model. ``charts`` have two lines; ``single`` says which measure only one build has."""

    conditions: tuple[str, ...]
    harm: tuple[str, ...]
    measures: tuple[MeasureRow, ...]
    charts: tuple[Chart, ...]
    single: tuple[str, ...]
    counts: str
    rows: tuple[ChangedRow, ...]
    more_rows: int


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """The advice for a model, applied in memory: the added calls, both builds, their findings, and a verdict."""

    target: str
    calls: tuple[str, ...]
    comparison: Comparison
    findings: Turnover
    helps: bool
    verdict: str


class TrialView(msgspec.Struct, frozen=True, kw_only=True):
    """A trial as the page shows it."""

    calls: tuple[str, ...]
    more_calls: int
    sides: Sides
    turns: tuple[Turn, ...]
    helps: bool
    verdict: str


def sides(comparison: Comparison, at_most: int) -> Sides:
    """Return what the page shows of a comparison, with at most ``at_most`` rows."""
    rows = changed_rows(comparison.parameters)
    signals = (one.signal if one is not None else None for one in (comparison.before, comparison.after))
    before, after = ({curve.measure.name: curve for curve in curves(signal)} if signal else {} for signal in signals)
    both = [measure for measure in MEASURES if measure.name in before and measure.name in after]
    alone = [measure for measure in MEASURES if (measure.name in before) != (measure.name in after)]
    return Sides(
        conditions=comparison.conditions,
        harm=comparison.harm,
        measures=tuple(map(_measure, comparison.measures)),
        charts=tuple(
            Chart(
                title=measure.title,
                what=measure.what,
                short=measure.short,
                svg=both_drawn(before[measure.name], after[measure.name]),
            )
            for measure in both
        ),
        single=tuple(_alone(alone, before)),
        counts=counts(comparison),
        rows=tuple(rows[:at_most]),
        more_rows=max(0, len(rows) - at_most),
    )


def _alone(measures: Sequence[Measure], before: Collection[str]) -> Iterator[str]:
    """Yield a sentence about the measures that only one of the builds has."""
    for when in ("before", "after"):
        titles = [one.title for one in measures if (one.name in before) == (when == "before")]
        if titles:
            were, them = ("was", "a chart") if len(titles) == 1 else ("were", "charts")
            yield f"{', '.join(titles)} {were} measured only {when}, which is not enough for {them} of both."


def _measure(one: Measured) -> MeasureRow:
    return MeasureRow(name=one.name, of=one.of, before=_value(one.before), after=_value(one.after))


def _value(passage: Passage | None) -> Value:
    if passage is None:
        return Value(value="not measured", rise="")
    return Value(value=passage.ends, rise=f"{passage.decades:+.2f} decades" if passage.decades is not None else "")


def turns(findings: Turnover | None, relative: Callable[[str], str], at_most: int) -> tuple[Turn, ...]:
    """Return the findings that came and went, the new ones first."""
    if findings is None:
        return ()
    stayed = [now for _, now in findings.stayed]
    listed = [("new", findings.new), ("gone", findings.gone), ("still", stayed)]
    return tuple(
        Turn(word=word, finding=finding, where=place_in_words(finding.place, relative))
        for word, several in listed
        for finding in several
    )[:at_most]


def trial_view(trial: Trial, relative: Callable[[str], str], at_most: int) -> TrialView:
    """Return what the page shows of a trial."""
    return TrialView(
        calls=trial.calls[:at_most],
        more_calls=max(0, len(trial.calls) - at_most),
        sides=sides(trial.comparison, at_most),
        turns=turns(trial.findings, relative, at_most),
        helps=trial.helps,
        verdict=trial.verdict,
    )
