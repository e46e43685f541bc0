"""Try the advice of findings: build each model again with it applied in memory, and compare both builds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from initaudit import engine, observers
from initaudit.comparison import Comparison, Turnover, identity_of, named, turnover
from initaudit.engine import Report, Task
from initaudit.finding import Change, Finding, Severity
from initaudit.observation import Observation, Tell, silent
from initaudit.portrait.sides import Trial
from initaudit.settings import Model

SHOWN = 6
"""Number of calls that are listed."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One model and its changes, with findings and measurements before and after.

    ``findings`` are the findings with advice for the model, ``known`` all findings before, ``left`` all after.
    """

    target: str
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]
    known: tuple[Finding, ...]
    left: tuple[Finding, ...]
    before: Observation
    after: Observation | None

    @property
    def comparison(self) -> Comparison:
        """Both builds."""
        reported = frozenset(name for finding in self.new for name in finding.subjects)
        return Comparison(before=self.before, after=self.after, reported=reported)

    @property
    def new(self) -> tuple[Finding, ...]:
        """The findings after the changes that were not there before."""
        known = {identity_of(finding) for finding in self.known}
        return tuple(finding for finding in self.left if identity_of(finding) not in known)

    @property
    def outcome(self) -> Turnover:
        """What became of the findings with advice, and the new findings."""
        return msgspec.structs.replace(turnover(self.findings, self.left), new=self.new)

    @property
    def calls(self) -> tuple[str, ...]:
        """The calls that were added; one that initializes several parameters counts them."""
        counts: dict[str, int] = {}
        for change in self.changes:
            counts[str(change.advice)] = counts.get(str(change.advice), 0) + 1
        return tuple(f"{call}  ({count} parameters)" if count > 1 else call for call, count in counts.items())

    @property
    def helps(self) -> bool:
        """Whether every finding with advice is gone, and nothing got worse."""
        return not (self.outcome.stayed or self.outcome.worse or self.comparison.harm)

    @property
    def verdict(self) -> str:
        """One sentence that says whether the advice helps."""
        outcome, harm = self.outcome, self.comparison.harm
        stays = len(outcome.stayed)
        new = [finding for finding in outcome.new if finding.severity is not Severity.NOTE]
        if not self.helps:
            parts = [f"{stays} of {len(self.findings)} findings remain" if stays else ""]
            parts += [f"{len(new)} new" if new else "", "the model got worse" if harm else ""]
            return f"the advice does not help: {', '.join(filter(None, parts))}"
        if self.after is None or self.after.signal is None:
            return "the advice helps: all findings are gone, with no new error or warning; gradients were not measured"
        return "the advice helps: all findings are gone, with no new error or warning and no dead gradient"


def attempt(task: Task, report: Report, models: Sequence[Model], tell: Tell = silent) -> Iterator[Attempt]:
    """Build again every model with advice."""
    for model in models:
        before = next((one for one in report.observations if one.source == model.target), None)
        if before is None:
            continue
        declared = {(one.model, one.name) for one in before.parameters}
        findings = [
            finding
            for finding in report.findings
            if any((advice.model, advice.parameter) in declared for advice in finding.advice)
        ]
        changes = tuple(_changes(findings, before))
        if not changes:
            continue
        again = engine.run(
            task, [observers.building([model], {model.target: changes}, root=task.configuration.root.folder, tell=tell)]
        )
        yield Attempt(
            target=model.target,
            changes=changes,
            findings=tuple(findings),
            known=report.findings,
            left=again.findings,
            before=before,
            after=next(iter(again.observations), None),
        )


def _changes(findings: Iterable[Finding], seen: Observation) -> Iterator[Change]:
    """Yield the advised calls for each parameter of the model that they name; the first advice counts."""
    changed: set[str] = set()
    for advice in (advice for finding in findings for advice in finding.advice):
        for one in seen.parameters:
            if (one.model, one.name) == (advice.model, advice.parameter) and one.path and one.path not in changed:
                changed.add(one.path)
                yield Change(one.path, advice)


def as_text(attempts: Iterable[Attempt]) -> str:
    """Return what became of each finding and each measurement, as text."""
    return "\n".join("\n".join(_lines(one)) for one in attempts)


def trials(attempts: Iterable[Attempt]) -> list[Trial]:
    """Return the attempts for the page of the models."""
    return [
        Trial(
            target=one.target,
            calls=one.calls,
            comparison=one.comparison,
            findings=one.outcome,
            helps=one.helps,
            verdict=one.verdict,
        )
        for one in attempts
    ]


def _lines(one: Attempt) -> Iterator[str]:
    yield f"{one.target} with the advice applied in memory (no file is changed):"
    for call in one.calls[:SHOWN]:
        yield f"  {call}"
    if len(one.calls) > SHOWN:
        yield f"  and {len(one.calls) - SHOWN} more calls"
    for measured in one.comparison.measures:
        if measured.before is not None and measured.after is not None:
            yield f"  {measured.name}, {measured.of}: {measured.before} -> {measured.after}"
    harm = one.comparison.harm
    left = {identity_of(finding): finding for finding in one.left}
    for finding in one.findings:
        after = left.get(identity_of(finding))
        outcome = "no longer reported" if after is None else f"still reported: {after.severity.value}"
        if after is None and harm:
            outcome += ", but the model got worse: see below"
        yield f"  {named(finding)}: {outcome}"
    for finding in one.new:
        yield f"  {named(finding)}: new with the advice: {finding.message}"
    for line in harm:
        yield f"  {line}"
    yield f"  {one.verdict}"
