"""Merge findings: those of both observers or of many instances about one bug are joined, and causes absorb effects.

Works on findings alone, whatever their origin.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from initaudit.finding import Evidence, Finding, Fix, Observer, Place, Severity, class_name, listed

SHOWN_PATHS, SHOWN_ROWS, SHOWN_NAMES = 3, 20, 4


class Seen(msgspec.Struct, frozen=True):
    """A finding, and the paths of its subjects in a built model."""

    finding: Finding
    paths: tuple[str, ...] = ()

    @property
    def observer(self) -> Observer | None:
        return self.finding.evidence[0].observer if self.finding.evidence else None


def merge(seen: Iterable[Seen]) -> list[Finding]:
    """Return one finding for each bug, with the evidence of all observers."""
    groups: dict[tuple[object, ...], list[list[Seen]]] = {}
    ranked = sorted(seen, key=lambda one: (one.observer is Observer.PROBE, one.finding.place))
    for one in ranked:
        clusters = groups.setdefault(_identity(one.finding), [])
        same = next((cluster for cluster in clusters if _same_place(cluster[0], one)), None)
        if same is None:
            clusters.append([one])
        else:
            same.append(one)
    return sorted((_joined(cluster) for clusters in groups.values() for cluster in clusters), key=position)


def position(finding: Finding) -> tuple[object, ...]:
    """Return the sort key of a finding in reports."""
    place = finding.place
    return (place.filename, place.cell or 0, place.row, place.column, finding.code, finding.parameter or "")


def _identity(finding: Finding) -> tuple[object, ...]:
    """Return the key that findings about the same thing share."""
    column = finding.place.column if finding.parameter is None else None
    return (
        os.path.realpath(finding.place.filename),
        finding.place.cell,
        class_name(finding.model),
        finding.parameter,
        finding.code,
        column,
    )


def _same_place(one: Seen, other: Seen) -> bool:
    """Whether two findings of one identity are about the same code; what reads it knows where that begins."""
    place, second = one.finding.place, other.finding.place
    if one.observer is Observer.ANALYZER and other.observer is Observer.ANALYZER and place.row == second.row:
        return place.column == second.column
    return _same_rows(place, second)


def _same_rows(one: Place, other: Place) -> bool:
    """Whether one place begins within the rows of the other. The probe does not always know the end of a call."""
    return one.row <= other.row <= max(one.row, one.end_row) or other.row <= one.row <= max(other.row, other.end_row)


def _joined(cluster: Sequence[Seen]) -> Finding:
    """Return the first finding of a cluster, preferably the analyzer's, with all evidence and the worst severity.

    The message with advice wins; if both have advice that differs, that of the probe, which saw the use.
    """
    first = cluster[0].finding
    advising = sorted(
        (one for one in cluster if one.finding.advice), key=lambda one: one.observer is not Observer.PROBE
    )
    calls = {(piece.initializer, piece.parameter) for one in advising for piece in one.finding.advice}
    named = {parameter for _, parameter in calls}
    differ = len(calls) > len(named) or not first.advice
    telling = advising[0].finding if advising and differ else first
    by_observer: dict[Observer, list[Seen]] = {}
    for one in cluster:
        if one.observer is not None:
            by_observer.setdefault(one.observer, []).append(one)
    evidence = tuple(piece for group in by_observer.values() for piece in _evidence(group))
    return msgspec.structs.replace(
        first,
        message=telling.message,
        severity=max((one.finding.severity for one in cluster), key=lambda severity: severity.rank),
        evidence=evidence,
        affects=tuple(dict.fromkeys(name for one in cluster for name in one.finding.affects)),
        fix=max((one.finding.fix for one in cluster if one.finding.fix), key=_is_edit, default=None),
        advice=tuple(dict.fromkeys(piece for one in advising for piece in one.finding.advice)),
    )


def _is_edit(fix: Fix) -> bool:
    """Whether a fix is more than words."""
    return bool(fix.edits)


def _evidence(group: Sequence[Seen]) -> Iterator[Evidence]:
    """Return the evidence of one observer; the first instance stands for all, and the others are counted."""
    first, *others = group[0].finding.evidence
    paths = list(dict.fromkeys(path for one in group for path in one.paths))
    count = sum(len(one.paths) for one in group)
    detail = first.detail
    if count > 1:
        shown = ", ".join(paths[:SHOWN_PATHS]) + (", ..." if count > SHOWN_PATHS else "")
        detail += f", in {count} places: {shown}"
    yield Evidence(first.observer, detail)
    yield from others


def supersede(findings: Sequence[Finding], supersedes: Mapping[str, tuple[str, ...]]) -> list[Finding]:
    """Remove findings that follow from another one, which takes over their evidence and parameters."""
    by_file: dict[str, list[Finding]] = {}
    for finding in findings:
        by_file.setdefault(os.path.realpath(finding.place.filename), []).append(finding)
    causes = {
        id(effect): cause
        for group in by_file.values()
        for effect in group
        if (cause := _cause_of(effect, group, supersedes)) is not None
    }
    absorbed: dict[int, list[Finding]] = {}
    leading = {_group_of(one): one for one in reversed(findings) if one.group and id(one) not in causes}
    for effect in findings:
        root = effect
        while id(root) in causes:
            root = causes[id(root)]
        if root is not effect:
            leader = leading.get(_group_of(root), root)  # the one of its group that is shown
            absorbed.setdefault(id(leader), []).append(effect)
    return [_absorbing(finding, absorbed.get(id(finding), ())) for finding in findings if id(finding) not in causes]


def _cause_of(
    effect: Finding, same_file: Sequence[Finding], supersedes: Mapping[str, tuple[str, ...]]
) -> Finding | None:
    for cause in same_file:
        if effect.code in supersedes.get(cause.code, ()) and _explains(cause, effect):
            return cause
    return None


def _explains(cause: Finding, effect: Finding) -> bool:
    """Whether ``effect`` is about a parameter of ``cause``, or both are about one line, and the cause names no part."""
    if effect.parameter is not None and cause.subjects:
        return listed(effect.parameter, effect.model, cause.model) in cause.subjects
    return not cause.subjects and (cause.place.cell, cause.place.row) == (effect.place.cell, effect.place.row)


def grouped(findings: Sequence[Finding]) -> list[Finding]:
    """Join each group into its first finding, which lists the others and fixes them too."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        alone = () if finding.group else (str(len(groups)),)
        groups.setdefault((*_group_of(finding), *alone), []).append(finding)
    return [_listing(first, others) for first, *others in groups.values()]


def _group_of(finding: Finding) -> tuple[str, ...]:
    return (os.path.realpath(finding.place.filename), finding.code, finding.group)


def weighed(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that are reported, of which the first of a decision says how many others there are.

    The others become notes. What a baseline or a diff leaves out has to be gone before, or it would excuse the rest.
    """
    first: dict[tuple[str, str], Finding] = {}
    counts = Counter((finding.code, finding.decision) for finding in findings)
    result = []
    for finding in findings:
        key = (finding.code, finding.decision)
        if finding.decision and counts[key] > 1:
            again = first.setdefault(key, finding) is not finding
            others = counts[key] - 1
            more = "; one more like it is a note" if others == 1 else f"; {others} more like it are notes"
            severity = Severity.NOTE if again else finding.severity
            message = finding.message if again else finding.message + more
            finding = msgspec.structs.replace(finding, message=message, severity=severity)
        result.append(finding)
    return result


def _listing(first: Finding, others: Sequence[Finding]) -> Finding:
    """Return a finding that represents its group."""
    if not others:
        return first
    named = [listed(one.parameter, one.model, first.model) for one in others if one.parameter is not None]
    fixes = [one.fix for one in (first, *others)]
    fix = first.fix
    if fix is not None and all(each is not None and each.applicability is fix.applicability for each in fixes):
        edits = tuple(dict.fromkeys(edit for each in fixes if each is not None for edit in each.edits))
        fix = Fix(fix.applicability, f"{fix.message}, and {len(others)} more like it", edits)
    unit = "line" if len({one.place.cell for one in (first, *others)}) == 1 else "cell"
    rows = sorted({_within(one, unit) for one in others} - {_within(first, unit)})
    also = f"; also in {unit}{'s' * (len(rows) > 1)} {_first(rows, SHOWN_ROWS)}" if rows and not named else ""
    if named:
        also = f"; also {_first([f'`{name}`' for name in dict.fromkeys(named)], SHOWN_NAMES)}"
    return msgspec.structs.replace(
        first,
        message=first.message + also,
        severity=max((one.severity for one in (first, *others)), key=lambda severity: severity.rank),
        affects=tuple(dict.fromkeys([*first.affects, *named])),
        advice=tuple(dict.fromkeys(piece for one in (first, *others) for piece in one.advice)),
        fix=fix,
    )


def _first(items: Sequence[object], most: int) -> str:
    """Return the first items, and how many more there are."""
    more = f" and {len(items) - most:,} more" if len(items) > most else ""
    return ", ".join(map(str, items[:most])) + more


def _within(finding: Finding, unit: str) -> int:
    """Return the line or the cell of a finding."""
    return finding.place.row if unit == "line" else finding.place.cell or 0


def _absorbing(cause: Finding, effects: Sequence[Finding]) -> Finding:
    """Return a cause with the evidence, the parameters and the severity of its effects.

    What the observer of the cause reads of an effect follows from the cause and is left out; measurements are kept.
    """
    own = {piece.observer for piece in cause.evidence} - {Observer.PROBE}
    evidence = [piece for effect in effects for piece in effect.evidence if piece.observer not in own]
    all_named = (listed(effect.parameter, effect.model, cause.model) for effect in effects if effect.parameter)
    named = [name for name in all_named if name != cause.parameter]
    return msgspec.structs.replace(
        cause,
        severity=max((one.severity for one in (cause, *effects)), key=lambda severity: severity.rank),
        evidence=tuple(dict.fromkeys([*cause.evidence, *evidence])),
        affects=tuple(dict.fromkeys([*cause.affects, *named])),
    )


def fingerprinted(
    findings: Sequence[Finding], line_of: Callable[[Place], str], relative: Callable[[str], str]
) -> list[Finding]:
    """Return findings with fingerprints that do not depend on line numbers or observers."""
    occurrences: Counter[tuple[str, ...]] = Counter()
    result = []
    for finding in findings:
        key = (
            finding.code,
            relative(finding.place.filename),
            class_name(finding.model) or "",
            finding.parameter or "",
            line_of(finding.place).strip(),
        )
        digest = hashlib.sha256("\0".join((*key, str(occurrences[key]))).encode("utf-8", "surrogatepass")).hexdigest()
        occurrences[key] += 1
        result.append(msgspec.structs.replace(finding, fingerprint=digest[:32]))
    return result
