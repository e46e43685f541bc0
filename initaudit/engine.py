"""One run: settings -> observers -> rules -> merge -> suppress -> supersede -> baseline -> Report.

The only room that knows observers, rules and settings together. Observers come in as callables.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from initaudit import fix, merge
from initaudit.facts import Observation, SyntaxFault, Undecided, UnusedSuppression
from initaudit.finding import Category, Edit, Finding, Observer, Place, Severity
from initaudit.merge import Seen
from initaudit.repository import Changes, repository_root
from initaudit.rules import catalogue
from initaudit.rules.base import AnyRule
from initaudit.selection import Layer, matching, select
from initaudit.settings import Configuration, Located, Model
from initaudit.source import SourceFile, Sources
from initaudit.suppression import Suppressions, names_our_codes, read_suppressions, suppressing, unused
from initaudit.timeline import ParameterTimeline

FIX_ROUNDS = 10  # a fix may uncover the next one; more rounds than this means that fixes undo each other


class Watched(msgspec.Struct, frozen=True):
    """What one observer saw, and what it could not look at."""

    observer: Observer
    observations: tuple[Observation, ...]
    errors: tuple[str, ...] = ()


Watch = Callable[[frozenset[str]], Watched]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is about.

    ``filenames`` are the files that are read. ``given`` are texts that do not come from disk, ``aliases`` the names under
    which observers know them. ``noqa`` says whether suppressions count, ``known`` holds fingerprints of the baseline,
    and ``changes``, when there are any, restricts findings to changed lines.
    """

    configuration: Configuration
    filenames: tuple[str, ...] = ()
    given: tuple[SourceFile, ...] = ()
    aliases: Mapping[str, str] = {}
    noqa: bool = True
    known: frozenset[str] = frozenset()
    changes: Changes | None = None
    skipped: int = 0


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, so that silence is never mistaken for "clean"."""

    files: int = 0
    models: int = 0
    skipped: int = 0
    undecided: int = 0
    suppressed: int = 0
    known: int = 0
    fixed: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a run. ``errors`` are things that could not be done at all, in words."""

    findings: tuple[Finding, ...]
    summary: Summary
    observations: tuple[Observation, ...] = ()
    undecided: tuple[Undecided, ...] = ()
    errors: tuple[str, ...] = ()

    def exit_code(self, fail_on: Severity = Severity.WARNING) -> int:
        """0 when nothing is as severe as ``fail_on``, 1 when something is, 2 when something could not be done."""
        if self.errors:
            return 2
        return int(any(finding.severity.rank >= fail_on.rank for finding in self.findings))


def reading(filenames: Sequence[str], jobs: int | None = None) -> Watch:
    """The analyzer on these files."""

    def watch(codes: frozenset[str]) -> Watched:
        from initaudit.analyzer import analyze

        return Watched(Observer.ANALYZER, tuple(analyze(filenames, codes=codes, jobs=jobs)))

    return watch


def building(models: Sequence[Model]) -> Watch:
    """The probe on these models. A target that cannot be imported is an error, and the others are still built."""

    def watch(codes: frozenset[str]) -> Watched:
        from initaudit.probe import Target, TargetError, probe

        observations, errors = [], []
        for model in models:
            try:
                observations.append(
                    probe(
                        Target(
                            spec=model.target,
                            kwargs=model.kwargs,
                            input_sizes=model.input_size,
                            dtype=model.dtype,
                            timeout=model.timeout,
                        )
                    )
                )
            except TargetError as error:
                errors.append(str(error))
        return Watched(Observer.PROBE, tuple(observations), tuple(errors))

    return watch


def run(task: Task, watches: Iterable[Watch]) -> Report:
    """Look once, and report what is wrong."""
    rules, sources = catalogue(), Sources(task.given)
    selected = Selected(task.configuration, rules)
    watched = [watch(selected.anywhere(task.filenames)) for watch in watches]
    observations = tuple(observation for one in watched for observation in one.observations)
    named = _Names(task, observations)

    seen = (
        msgspec.structs.replace(one, finding=named.finding(one.finding))
        for observation in observations
        for one in judge(observation, rules.values())
    )
    findings = [finding for finding in merge.merge(seen) if selected.covers(finding)]
    hiding = _Hiding(task, sources)
    findings = merge.supersede(
        hiding.remaining(findings), {code: rule.supersedes for code, rule in rules.items()}
    )
    if task.noqa:
        looked = _looked(watched, named, task.filenames)
        facts = tuple(hiding.unused(task.filenames, selected, rules, looked))
        useless = [one.finding for one in judge(_noticed(facts), rules.values()) if selected.covers(one.finding)]
        findings = sorted(findings + hiding.remaining(useless), key=merge.position)
    findings = merge.fingerprinted(
        findings, lambda place: sources.line(place.filename, place.row), merge.relative_to(repository_root(Path.cwd()))
    )
    fresh = [finding for finding in findings if finding.fingerprint not in task.known]
    reported = [finding for finding in fresh if task.changes is None or task.changes.touch(finding.place)]
    undecided = tuple(named.undecided(item) for observation in observations for item in observation.undecided)
    return Report(
        findings=tuple(reported),
        observations=observations,
        undecided=undecided,
        errors=tuple(error for one in watched for error in one.errors),
        summary=Summary(
            files=len(task.filenames),
            models=sum(len(one.observations) for one in watched if one.observer is Observer.PROBE),
            skipped=task.skipped,
            undecided=len(undecided),
            suppressed=hiding.count,
            known=len(findings) - len(fresh),
        ),
    )


def judge(observation: Observation, rules: Iterable[AnyRule]) -> Iterator[Seen]:
    """What the rules say of one observation."""
    listening: dict[type, list[AnyRule]] = {}
    for rule in rules:
        if observation.observer in rule.observers:
            listening.setdefault(rule.subject, []).append(rule)
    for subject in (*observation.parameters, *observation.chains, *observation.facts):
        for rule in listening.get(type(subject), ()):
            for finding in rule.check(subject):  # type: ignore[arg-type]  # `listening` pairs rules with their subjects
                if isinstance(subject, ParameterTimeline) and subject.path:
                    yield Seen(finding, (subject.path,), subject.instances)
                else:
                    yield Seen(finding)


def _noticed(facts: tuple[UnusedSuppression, ...]) -> Observation:
    """What the engine itself noticed, for the rules to judge."""
    return Observation(observer=Observer.ANALYZER, source="", facts=facts)


class Selected:
    """Which rules run on which file."""

    def __init__(self, configuration: Configuration, rules: Mapping[str, AnyRule]) -> None:
        self.configuration = configuration
        self.rules = rules
        self._codes: dict[int, frozenset[str]] = {}
        self._ignores: dict[int, tuple[tuple[_Matcher, frozenset[str]], ...]] = {}
        self._located: dict[str, Located] = {}
        self._flags = tuple(
            (_Matcher(pattern, Path.cwd()), self._matching(selectors))
            for pattern, selectors in configuration.overrides.per_file_ignores.items()
        )
        self._of(configuration.root)  # so that a misspelt selector is an error even when no file is checked

    def anywhere(self, filenames: Iterable[str]) -> frozenset[str]:
        """The codes that run on any of these files, or on files that only the probe meets."""
        located = {id(one): one for filename in filenames if (one := self._settings(filename))}
        return self._of(self.configuration.root).union(*(self._of(one) for one in located.values()))

    def codes(self, filename: str) -> frozenset[str]:
        """The codes that run on a file."""
        located = self._settings(filename)
        codes = self._of(located)
        if located.settings.per_file_ignores or self._flags:
            real = os.path.realpath(filename)
            ignores = (*self._ignores[id(located)], *self._flags)
            codes = codes.difference(*(ignored for matcher, ignored in ignores if matcher.matches(real)))
        return codes

    def covers(self, finding: Finding) -> bool:
        """Whether the rule of a finding runs on its file."""
        return finding.code in self.codes(finding.place.filename)

    def _settings(self, filename: str) -> Located:
        folder = os.path.dirname(filename)
        if folder not in self._located:
            self._located[folder] = self.configuration.for_file(filename)
        return self._located[folder]

    def _of(self, located: Located) -> frozenset[str]:
        if id(located) not in self._codes:
            settings, flags = located.settings, self.configuration.overrides
            preview = settings.preview if flags.preview is None else flags.preview
            layers = (
                Layer(select=settings.select, extend_select=settings.extend_select, ignore=settings.ignore),
                Layer(select=flags.select, extend_select=flags.extend_select, ignore=flags.ignore),
            )
            self._codes[id(located)] = select(self.rules, layers, preview=preview)
            self._ignores[id(located)] = tuple(
                (_Matcher(pattern, located.folder), self._matching(selectors))
                for pattern, selectors in settings.per_file_ignores.items()
            )
        return self._codes[id(located)]

    def _matching(self, selectors: Iterable[str]) -> frozenset[str]:
        return frozenset[str]().union(*(matching(selector, self.rules) for selector in selectors))


class _Matcher:
    """A pattern of per-file-ignores."""

    def __init__(self, pattern: str, folder: Path) -> None:
        from initaudit.analyzer.discover import Exclusion

        self._exclusion = Exclusion((pattern,), folder)

    def matches(self, real: str) -> bool:
        return self._exclusion.covers_deeply(real, is_folder=False)
