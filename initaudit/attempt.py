"""Try the advice of findings: build each model again with it applied in memory, and compare both builds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from initaudit import engine
from initaudit.engine import Report, Task
from initaudit.finding import Change, Finding, Severity
from initaudit.observation import Observation, Tell, silent
from initaudit.settings import Model
from initaudit.timeline import Layer, SignalProfile

SHOWN = 6
"""Number of calls, and of paths, that are listed."""
LOUD, LOUDER = 100.0, 10.0
"""Rms above which an output is too large, and the factor by which it must exceed the rms before."""


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
    def new(self) -> tuple[Finding, ...]:
        """The findings after the changes that were not there before."""
        known = {_identity(finding) for finding in self.known}
        return tuple(finding for finding in self.left if _identity(finding) not in known)


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
            task, [engine.building([model], {model.target: changes}, root=task.configuration.root.folder, tell=tell)]
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


def _lines(one: Attempt) -> Iterator[str]:
    yield f"{one.target} with the advice applied in memory (no file is changed):"
    counts: dict[str, int] = {}
    for change in one.changes:
        counts[str(change.advice)] = counts.get(str(change.advice), 0) + 1
    for call, count in list(counts.items())[:SHOWN]:
        yield f"  {call}" + (f"  ({count} parameters)" if count > 1 else "")
    if len(counts) > SHOWN:
        yield f"  and {len(counts) - SHOWN} more calls"
    for name, was, now in _measures(one):
        yield f"  {name}: {was} -> {now}"
    harm = tuple(_harm(one))
    left = {_identity(finding): finding for finding in one.left}
    for finding in one.findings:
        after = left.get(_identity(finding))
        outcome = "no longer reported" if after is None else f"still reported: {after.severity.value}"
        if after is None and harm:
            outcome += ", but the model got worse: see below"
        yield f"  {_named(finding)}: {outcome}"
    for finding in one.new:
        yield f"  {_named(finding)}: new with the advice: {finding.message}"
    for line in harm:
        yield f"  {line}"
    yield f"  {_verdict(one, harm)}"


def _verdict(one: Attempt, harm: Sequence[str]) -> str:
    """Return one sentence that says whether the advice helps."""
    left = {_identity(finding) for finding in one.left}
    stays = sum(_identity(finding) in left for finding in one.findings)
    new = [finding for finding in one.new if finding.severity is not Severity.NOTE]
    if stays or new or harm:
        parts = [f"{stays} of {len(one.findings)} findings remain" if stays else "", f"{len(new)} new" if new else ""]
        why = ", ".join(filter(None, (*parts, "the model got worse" if harm else "")))
        return f"the advice does not help: {why}"
    if one.after is None or one.after.signal is None:
        return "the advice helps: all findings are gone, with no new error or warning; gradients were not measured"
    return "the advice helps: all findings are gone, with no new error or warning and no dead gradient"


def _named(finding: Finding) -> str:
    about = f" `{finding.parameter}`" if finding.parameter else ""
    return f"{finding.code} {finding.name}{about}, {finding.severity.value}"


def _harm(one: Attempt) -> Iterator[str]:
    """Yield what is worse than before: the forward fails, a gradient is zero, or an output is too large."""
    before, after = one.before.signal, one.after.signal if one.after is not None else None
    if after is None:
        if one.after is None or before is not None:
            yield "with the advice, the model could not be built and run"
        return
    was = {layer.path: layer for layer in before.layers} if before is not None else {}
    dead = [layer.path for layer in after.layers if _is_dead(layer, was.get(layer.path))]
    if dead:
        them = "it" if len(dead) == 1 else "them"
        yield f"no gradient reaches {_few(dead)} any more: with the advice, training cannot change {them}"
    lost = [path for path, layer in was.items() if layer.gradient and not _gradient_of(after, path)]
    if lost and not dead:
        yield f"the gradient of {_few(lost)} can no longer be measured"
    loud = [layer.path for layer in after.layers if _is_louder(layer, was.get(layer.path))]
    if loud:
        worst = max(_loudness(layer) for layer in after.layers if layer.path in loud)
        yield f"the output of {_few(loud)} grows to an rms of {worst:.2g}"


def _is_dead(layer: Layer, before: Layer | None) -> bool:
    """Whether no gradient reaches a weight that had one before or was not measured before."""
    alive = before is None or not before.gradient or any(before.gradient)
    return bool(layer.gradient) and not any(layer.gradient) and alive


def _is_louder(layer: Layer, before: Layer | None) -> bool:
    """Whether an output is too large and was much smaller before."""
    loudness = _loudness(layer)
    if math.isnan(loudness) or before is None or not before.rms:
        return False
    return loudness > LOUD and loudness > LOUDER * _loudness(before)


def _loudness(layer: Layer) -> float:
    finite = all(math.isfinite(rms) for rms in layer.rms)
    return max(layer.rms, default=math.nan) if finite else math.inf


def _gradient_of(signal: SignalProfile, path: str) -> tuple[float, ...]:
    return next((layer.gradient for layer in signal.layers if layer.path == path), ())


def _few(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(f"`{path}`" for path in paths[:SHOWN]) + more


def _identity(finding: Finding) -> tuple[str, str | None, str | None]:
    return (finding.code, finding.model, finding.parameter)


def _measures(one: Attempt) -> Iterator[tuple[str, str, str]]:
    before, after = one.before.signal, one.after.signal if one.after is not None else None
    if before is None or after is None:
        return
    for name, of in (
        ("activation rms, first to last hidden layer", _scale),
        ("discrimination (part of the output that varies with the input), last hidden layer", _discrimination),
        ("gradient rms, first to last layer", _gradient),
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
