"""What advice is worth: models are built once more with it applied in memory, and both are set side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from initaudit import engine
from initaudit.engine import Report, Task
from initaudit.finding import Change, Finding, Observer
from initaudit.observation import Observation
from initaudit.settings import Model
from initaudit.timeline import SignalProfile

SHOWN = 6
"""Calls that are listed one by one."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One model with its changes: what was found and measured before, and after."""

    target: str
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]
    left: tuple[Finding, ...]
    before: Observation
    after: Observation | None


def attempt(task: Task, report: Report, models: Sequence[Model]) -> Iterator[Attempt]:
    """Build every model once more for which something is advised."""
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
            task, [engine.building([model], {model.target: changes}, root=task.configuration.root.folder)]
        )
        yield Attempt(
            target=model.target,
            changes=changes,
            findings=tuple(findings),
            left=again.findings,
            before=before,
            after=next(iter(again.observations), None),
        )


def _changes(findings: Iterable[Finding], seen: Observation) -> Iterator[Change]:
    """The calls that are advised, each for every parameter of the model that it speaks of; the first advice counts."""
    changed: set[str] = set()
    for advice in (advice for finding in findings for advice in finding.advice):
        for one in seen.parameters:
            if (one.model, one.name) == (advice.model, advice.parameter) and one.path and one.path not in changed:
                changed.add(one.path)
                yield Change(one.path, advice)


def as_text(attempts: Iterable[Attempt]) -> str:
    """What became of each finding and of each measure, in words."""
    return "\n".join("\n".join(_lines(one)) for one in attempts)


def _lines(one: Attempt) -> Iterator[str]:
    yield f"{one.target} with the advice applied in memory (no file is changed):"
    counts: dict[str, int] = {}
    for change in one.changes:
        counts[str(change.advice)] = counts.get(str(change.advice), 0) + 1
    for call, count in list(counts.items())[:SHOWN]:
        yield f"  {call}" + (f"  ({count} parameters)" if count > 1 else "")
    if len(counts) > SHOWN:
        yield f"  and {len(counts) - SHOWN} more calls"
    if one.after is None or (one.after.signal is None and one.before.signal is not None):
        yield "  it could not be built and run again"
    for name, was, now in _measures(one):
        yield f"  {name}: {was} -> {now}"
    left = {_identity(finding): finding for finding in one.left}
    for finding in one.findings:
        after = left.get(_identity(finding))
        outcome = "is no longer found" if after is None else f"stays: {after.severity.value}"
        yield f"  {finding.code} {finding.name}, {finding.severity.value}: {outcome}"
    known = {_identity(finding) for finding in one.findings}
    for finding in one.left:
        if _identity(finding) not in known and finding.evidence and finding.evidence[0].observer is Observer.PROBE:
            yield f"  {finding.code} {finding.name}, {finding.severity.value}: found as well"


def _identity(finding: Finding) -> tuple[str, str | None, str | None]:
    return (finding.code, finding.model, finding.parameter)


def _measures(one: Attempt) -> Iterator[tuple[str, str, str]]:
    before, after = one.before.signal, one.after.signal if one.after is not None else None
    if before is None or after is None:
        return
    for name, of in (
        ("rms from the first hidden layer to the last", _scale),
        ("part of the signal that tells inputs apart, at the last", _discrimination),
        ("rms of the gradient from the first layer to the last", _gradient),
        ("initial loss above ln(classes)", _loss),
    ):
        was, now = of(before), of(after)
        if was is not None and now is not None:
            yield name, was, now


def _scale(profile: SignalProfile) -> str | None:
    return _range([layer.rms[0] for layer in profile.layers if layer.rms and not layer.output])


def _gradient(profile: SignalProfile) -> str | None:
    return _range([layer.gradient[0] for layer in profile.layers if layer.gradient])


def _range(numbers: Sequence[float]) -> str | None:
    if len(numbers) < 2:
        return None
    first, last = numbers[0], numbers[-1]
    text = f"{first:.2g} to {last:.2g}"
    if first > 0 and last > 0 and math.isfinite(first * last):
        text += f" ({math.log10(last / first):+.2f} decades)"
    return text


def _discrimination(profile: SignalProfile) -> str | None:
    told = [layer.discrimination[0] for layer in profile.layers if layer.discrimination and not layer.output]
    return f"{told[-1]:.2g}" if told else None


def _loss(profile: SignalProfile) -> str | None:
    return f"{profile.loss.excess[0]:.2f} nats" if profile.loss is not None and profile.loss.excess else None
