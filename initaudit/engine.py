"""One run: settings -> observers -> rules -> merge -> suppress -> supersede -> baseline -> weigh -> Report.

The only module that knows rules and settings together. Observers are passed in as callables.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from initaudit import demonstrations, merge
from initaudit.finding import (
    Applicability,
    Category,
    Finding,
    Fix,
    Observer,
    Place,
    Severity,
    bounded,
    moved,
    presentable,
)
from initaudit.fixes import files as fix
from initaudit.fixes import proof
from initaudit.merge import Seen
from initaudit.observation import Observation, ProvedFix, Undecided
from initaudit.observers import Watch, Watched
from initaudit.repository import Changes, Repositories
from initaudit.rules import catalogue, questions
from initaudit.rules.base import AnyRule
from initaudit.selection import Selected
from initaudit.settings import Configuration
from initaudit.sources.files import Names, Sources, decode_source, holding, is_document, read_source
from initaudit.sources.source import SourceError, SourceFile, Unread
from initaudit.subjects.builds import BuildFailure
from initaudit.subjects.files import SyntaxFault, UnusedSuppression
from initaudit.suppression import Suppressions, read_suppressions, unused
from initaudit.timeline import ParameterTimeline

FIX_ROUNDS = 10  # a fix may enable another; more rounds mean that fixes undo one another


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """The input of a run.

    ``filenames`` are the files to read. ``given`` holds texts that replace files on disk. ``noqa`` says whether
    suppressions apply, ``known`` holds the fingerprints of the baseline, and ``changes`` restricts findings to
    changed lines. ``replays`` turns on the rules for builds on the meta device.
    """

    configuration: Configuration
    filenames: tuple[str, ...] = ()
    given: tuple[SourceFile, ...] = ()
    noqa: bool = True
    known: frozenset[str] = frozenset()
    changes: Changes | None = None
    skipped: int = 0
    replays: bool = False


class NotJudged(Undecided, frozen=True, kw_only=True):
    """Something undecided, and the selected rules that needed it."""

    codes: tuple[str, ...] = ()


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of what was done, so that silence is never mistaken for "clean".

    ``files`` counts the files read to their end, ``not_read`` the others.
    """

    files: int = 0
    not_read: int = 0
    built: int = 0
    not_built: int = 0
    skipped: int = 0
    undecided: int = 0
    suppressed: int = 0
    known: int = 0
    fixed: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a run. ``errors`` says what could not be done.

    ``separate`` lists the findings as they were before those with one cause became one: a baseline knows each of them.
    ``unread`` lists the parts of notebooks and Markdown that may be Python and were skipped. ``warnings`` are neither
    findings nor errors. ``remarks`` are lines about what was not built.
    """

    findings: tuple[Finding, ...]
    summary: Summary
    separate: tuple[Finding, ...] = ()
    observations: tuple[Observation, ...] = ()
    undecided: tuple[NotJudged, ...] = ()
    unread: tuple[Unread, ...] = ()
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the findings, warnings and errors as text; empty on all ranks but the first."""
        from initaudit.presentation import as_text

        texts = (as_text(self.findings), *self.warnings, *self.errors)
        return "" if any(one.rank for one in self.observations) else "\n".join(filter(None, texts))

    def _repr_html_(self) -> str:
        """Return the findings as HTML for a notebook."""
        from initaudit.presentation import as_html

        return as_html(self.findings)

    def exit_code(self, fail_on: Severity = Severity.WARNING) -> int:
        """Return 2 if there are errors, 1 if a finding is at least as severe as ``fail_on``, else 0."""
        if self.errors:
            return 2
        return int(any(finding.severity.rank >= fail_on.rank for finding in self.findings))


def run(task: Task, watches: Iterable[Watch]) -> Report:
    """Run all observers once, and report what is wrong."""
    rules, sources = catalogue(), Sources(task.given)
    selected = Selected(task.configuration, rules, replays=task.replays)
    preview = task.configuration.run.preview
    running = [rules[code] for code in sorted(selected.anywhere(task.filenames))]
    asking = functools.partial(questions, running, preview=preview)
    with holding(task.given):
        watched = [watch(asking) for watch in watches]
    named = Names(task.filenames)
    observations = tuple(
        _in_document(observation, named, sources) for one in watched for observation in one.observations
    )

    seen = [one for observation in observations for one in judge(observation, rules.values(), preview=preview)]
    found = merge.merge(msgspec.structs.replace(one, finding=moved(one.finding, named.place)) for one in seen)
    hiding = _Hiding(task, sources)
    findings = hiding.remaining(finding for finding in found if selected.covers(finding))
    findings = merge.supersede(findings, {code: rule.supersedes for code, rule in rules.items()})
    if task.noqa:
        facts = tuple(hiding.unused(selected, _Looked(watched, named, task.filenames)))
        judged = [moved(one.finding, sources.shown) for one in judge(_noticed(facts), rules.values())]
        useless = [finding for finding in judged if selected.covers(finding)]
        findings = sorted(findings + hiding.remaining(useless), key=merge.position)
    findings = list(demonstrations.weighed(map(selected.fixing, findings), sources))
    findings = merge.fingerprinted(findings, sources.line, Repositories(Path.cwd()).relative)
    known = [finding for finding in findings if finding.fingerprint in task.known]
    fresh = [finding for finding in findings if finding.fingerprint not in task.known]
    errors = [error for one in watched for error in one.errors]
    errors += [f"{named.name(one.source)}: {one.error}" for one in observations if one.error is not None]
    probed = [one for observer in watched if observer.observer is Observer.PROBE for one in observer.observations]
    not_built = sum(not one.built or any(isinstance(fact, BuildFailure) for fact in one.facts) for one in probed)
    concerned = [one for one in fresh if task.changes is None or _in_changes(one, task.changes)]
    # last: a finding that is not reported neither hides nor excuses another one
    reported = list(map(presentable, merge.weighed(merge.grouped(concerned))))
    undecided = tuple(
        one for observation in observations for one in _not_judged(observation, selected, named, preview=preview)
    )
    not_read = sum(_not_read(observation) for observation in observations)
    unread = tuple(one for filename in task.filenames for one in sources.skipped(filename))
    return Report(
        findings=tuple(reported),
        separate=tuple(map(presentable, concerned)),
        observations=observations,
        undecided=undecided,
        unread=unread,
        warnings=(*_not_built(observations, reported, named), *map(_warning, filter(_is_shown, undecided))),
        errors=tuple(errors),
        remarks=tuple(line for one in watched for line in one.remarks),
        summary=Summary(
            files=len(task.filenames) - not_read,
            not_read=not_read,
            built=len(probed) - not_built,
            not_built=not_built,
            skipped=task.skipped + len(unread),
            undecided=len(undecided),
            suppressed=hiding.count,
            known=len(merge.grouped(known)),
        ),
    )


def _in_changes(finding: Finding, changes: Changes) -> bool:
    """Whether a finding concerns changed lines; one of an unreadable file concerns all changes of the file."""
    if not catalogue()[finding.code].always:
        return changes.touch(finding.place)
    return Observer.ANALYZER not in catalogue()[finding.code].observers or changes.touch_file(finding.place.filename)


def _not_judged(observation: Observation, selected: Selected, named: Names, *, preview: bool) -> Iterator[NotJudged]:
    """Yield what an observer could not decide and a selected rule needed."""
    for item in observation.undecided:
        item = bounded(moved(item, named.place))
        filename = item.place.filename if item.place is not None else named.name(observation.source)
        rules = (selected.rules[code] for code in sorted(selected.codes(filename)))
        codes = tuple(
            rule.code
            for rule in rules
            if observation.observer in rule.watched_by(preview=preview)
            and rule.category is not Category.TOOL
            and (not item.unseen or rule.needs(item.unseen))
        )
        if codes:
            yield NotJudged(**msgspec.structs.asdict(item), codes=codes)


def _is_shown(item: NotJudged) -> bool:
    """Whether something undecided is reported without `--show-unknown`."""
    return item.remedy is not None


def _warning(item: NotJudged) -> str:
    return f"{item.subject}: {item.reason}; {item.remedy} (not judged: {', '.join(item.codes)})"


def _not_read(observation: Observation) -> bool:
    """Whether a file was not read to its end. A cell that is not Python does not hide the others."""
    if observation.observer is not Observer.ANALYZER:
        return False
    faults = (fact for fact in observation.facts if isinstance(fact, SyntaxFault))
    return observation.error is not None or any(fault.place.cell is None for fault in faults)


def _not_built(observations: Iterable[Observation], reported: Iterable[Finding], named: Names) -> Iterator[str]:
    """Yield why models were not built, where the rule that reports it is turned off."""
    stated = {finding.place for finding in reported if catalogue()[finding.code].subject is BuildFailure}
    for observation in observations:
        for fact in observation.facts:
            if isinstance(fact, BuildFailure) and named.place(fact.place) not in stated:
                yield f"{fact.target}: not built: it {fact.how}: {fact.detail}"


def _in_document(observation: Observation, named: Names, sources: Sources) -> Observation:
    """Return an observation with places in the notebook or Markdown file rather than in the Python read from it."""
    if not is_document(observation.source):
        return observation
    shown = moved(observation, lambda place: sources.shown(named.place(place)))
    fixes = (msgspec.structs.replace(each, edits=tuple(map(sources.indented, each.edits))) for each in shown.fixes)
    return msgspec.structs.replace(shown, fixes=tuple(fixes))


def judge(observation: Observation, rules: Iterable[AnyRule], *, preview: bool = True) -> Iterator[Seen]:
    """Yield what the rules report of one observation. A fix that was not proved becomes advice in words."""
    proved = {(each.code, each.place): each.edits for each in observation.fixes}
    for one in _judged(observation, rules, preview=preview):
        wanted = one.finding.fix
        if wanted is not None and wanted.remedies:
            edits = proved.get((one.finding.code, one.finding.place), ())
            offered = Fix(wanted.applicability if edits else Applicability.DISPLAY, wanted.message, edits)
            yield msgspec.structs.replace(one, finding=msgspec.structs.replace(one.finding, fix=offered))
        else:
            yield one


_Subject = TypeVar("_Subject")


def _judged(observation: Observation, rules: Iterable[AnyRule], *, preview: bool = True) -> Iterator[Seen]:
    listening: dict[type, list[AnyRule]] = {}
    for rule in rules:
        if observation.observer in rule.watched_by(preview=preview):
            listening.setdefault(rule.subject, []).append(rule)
    signal = (observation.signal,) if observation.signal is not None else ()
    for subject in (*observation.parameters, *observation.chains, *signal, *observation.facts):
        for rule in listening.get(type(subject), ()):
            unbuilt = () if rule.prevents_building else observation.unbuilt
            for finding in rule.check(_without_builder(subject, unbuilt)):
                finding = _of_use(finding, unbuilt, "no program of the project builds its class")
                finding = _of_use(finding, observation.unreached, "no call in the project leads there")
                if isinstance(subject, ParameterTimeline) and subject.path:
                    yield Seen(finding, (subject.path,))
                else:
                    yield Seen(finding)


def _without_builder(subject: _Subject, unbuilt: Iterable[Place]) -> _Subject:
    """Return a subject that names no code that builds its class, if only code that no program runs does."""
    if not isinstance(subject, ParameterTimeline) or subject.allocation is None or subject.only is not None:
        return subject
    place = subject.allocation.place
    return msgspec.structs.replace(subject, built=None) if any(_holds(each, place) for each in unbuilt) else subject


def _of_use(finding: Finding, unused: Iterable[Place], why: str) -> Finding:
    """Return a finding as it weighs: in code that no program uses it is a note, of each rule one."""
    around = next((each for each in unused if _holds(each, finding.place)), None)
    if around is None or finding.severity is Severity.NOTE:
        return finding
    message = f"{finding.message}; {why}"
    return msgspec.structs.replace(finding, severity=Severity.NOTE, message=message, group=f"unused {around.row}")


def _holds(around: Place, place: Place) -> bool:
    return around.filename == place.filename and around.row <= place.row <= around.end_row


class Judge(msgspec.Struct, frozen=True):
    """Lets the analyzer query the rules while it reads a file, without knowing them."""

    def accused(self, observation: Observation) -> frozenset[tuple[str, Place]]:
        """Return the kinds of subject of which any rule reports a finding, and where."""
        found = [one.finding for one in _judged(observation, catalogue().values())]
        return frozenset((catalogue()[each.code].subject.__name__, each.place) for each in found)

    def weighing(self, observation: Observation) -> frozenset[Place]:
        """Return where any rule reports more than a note."""
        found = (one.finding for one in _judged(observation, catalogue().values()))
        return frozenset(each.place for each in found if each.severity is not Severity.NOTE)

    def proved(self, observation: Observation, text: str, read: Callable[[str], Observation]) -> tuple[ProvedFix, ...]:
        """Return the proved fixes of the findings in a file."""
        return proof.proved(text, self._read(observation), lambda mended: self._read(read(mended)))

    @staticmethod
    def _read(observation: Observation) -> proof.Read:
        findings = tuple(one.finding for one in _judged(observation, catalogue().values()))
        return proof.Read(findings, len(observation.undecided))


def _noticed(facts: tuple[UnusedSuppression, ...]) -> Observation:
    """Return the observation of the engine itself: unused suppressions."""
    return Observation(observer=Observer.ANALYZER, source="", facts=facts)


class _Hiding:
    """Removes suppressed findings, and records which comments suppressed any."""

    def __init__(self, task: Task, sources: Sources) -> None:
        self._task = task
        self._sources = sources
        self._used: set[tuple[Place, str]] = set()
        self._files: dict[str, Suppressions] = {}
        self.count = 0

    def remaining(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return the findings that no comment suppresses."""
        return [finding for finding in findings if not (self._task.noqa and self._hidden(finding))]

    def _hidden(self, finding: Finding) -> bool:
        suppressions = self._suppressions(finding.place.filename)
        hiding = suppressions.hiding(moved(finding, suppressions.source.located))
        self._used.update((comment.place, finding.code) for comment in hiding)
        self.count += bool(hiding)
        return bool(hiding)

    def _suppressions(self, filename: str) -> Suppressions:
        if filename not in self._files:
            source = self._sources.get(filename)
            self._files[filename] = read_suppressions(source or SourceFile(filename, b"", "", "utf-8"))
        return self._files[filename]

    def unused(self, selected: Selected, looked: _Looked) -> Iterator[UnusedSuppression]:
        """Yield the comments that suppress nothing, for rules whose observers all looked at the file."""
        rules = {code: rule for code, rule in catalogue().items() if rule.category is not Category.TOOL}
        for filename in self._task.filenames:
            if filename not in looked.commented:
                continue
            running = {code: rule for code, rule in rules.items() if code in selected.codes(filename)}
            judged = {code for code, rule in running.items() if rule.observers <= looked.observers(filename)}
            yield from unused(
                self._suppressions(filename), self._used, judged.__contains__, all_judged=len(judged) == len(running)
            )


class _Looked:
    """Which observers decided everything in which file, and which files hold suppressions."""

    def __init__(self, watched: Iterable[Watched], names: Names, filenames: Iterable[str]) -> None:
        self._by_file: dict[str, set[Observer]] = {}
        self.commented: set[str] = set()
        for one in watched:
            if one.observer is Observer.ANALYZER:
                for filename in filenames:
                    self._by_file.setdefault(filename, set()).add(Observer.ANALYZER)
            for observation in one.observations:
                self._see(observation, names)
                if observation.error is not None or observation.undecided:
                    self._by_file[names.name(observation.source)] = set()

    def _see(self, observation: Observation, names: Names) -> None:
        for timeline in observation.parameters:
            if observation.observer is Observer.PROBE and timeline.allocation:
                self._by_file.setdefault(names.name(timeline.allocation.place.filename), set()).add(Observer.PROBE)
        if observation.comments:
            self.commented.add(names.name(observation.source))
        for fact in observation.facts:
            if isinstance(fact, SyntaxFault):
                self._by_file[names.name(fact.place.filename)] = set()

    def observers(self, filename: str) -> frozenset[Observer]:
        return frozenset(self._by_file.get(filename, ()))


class Mending(msgspec.Struct, frozen=True):
    """The first report, the remaining one, and the texts of files fixed in memory, before and after.

    ``fixed`` holds the findings whose fixes were applied.
    """

    found: Report
    remaining: Report
    texts: tuple[tuple[SourceFile, SourceFile], ...]
    fixed: tuple[Finding, ...] = ()


def mend(task: Task, watches: Sequence[Watch], *, unsafe: bool = False, writing: bool = True) -> Mending:
    """Run and apply fixes until none is left: to files, or without ``writing`` to texts in memory."""
    reports: list[Report] = []
    fixed, errors = list[Finding](), dict[str, str]()
    before, given = dict[str, SourceFile](), {source.filename: source for source in task.given}
    for _ in range(FIX_ROUNDS):
        stamps = {filename: _stamp(filename) for filename in task.filenames}
        report = run(msgspec.structs.replace(task, given=tuple(given.values())), watches)
        reports.append(report)
        applied = 0
        for filename, findings in fixable(task, report, unsafe=unsafe).items():
            if filename in errors:
                continue
            try:
                source = given.get(filename) or _unchanged(filename, stamps[filename])
                mended = fix.mend(source, findings, unsafe=unsafe)
                if writing:
                    fix.write(mended)
                else:
                    given[filename] = decode_source(filename, fix.encoded(mended))
                    before.setdefault(filename, source)
                applied += len(mended.fixed)
                fixed += mended.fixed
            except (fix.FixError, SourceError) as error:
                errors[filename] = str(error)
        if not applied:
            break
    summary = msgspec.structs.replace(report.summary, fixed=len(fixed))
    remaining = msgspec.structs.replace(report, summary=summary, errors=(*report.errors, *errors.values()))
    texts = tuple((source, given[name]) for name, source in before.items())
    return Mending(reports[0], remaining, texts, tuple(fixed))


def fixable(task: Task, report: Report, *, unsafe: bool) -> dict[str, list[Finding]]:
    """Return the fixable findings by file. Files that only the probe saw are not fixed."""
    checked = frozenset(task.filenames)
    by_file: dict[str, list[Finding]] = {}
    for finding in report.findings:
        if fix.applicable(finding, unsafe=unsafe) and finding.place.filename in checked:
            by_file.setdefault(finding.place.filename, []).append(finding)
    return by_file


def _unchanged(filename: str, stamp: tuple[int, int]) -> SourceFile:
    """Return a file as it was when it was checked; raises FixError if it has changed."""
    source = read_source(filename)
    if _stamp(filename) != stamp:
        raise fix.FixError(f"{filename}: not fixed: the file changed while it was being checked")
    return source


def _stamp(filename: str) -> tuple[int, int]:
    """Return the modification time and size of a file; a constant if it does not exist."""
    try:
        status = Path(filename).stat()
    except OSError:
        return 0, -1
    return status.st_mtime_ns, status.st_size
