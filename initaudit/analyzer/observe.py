"""One file: its parameters, chains and facts, as far as the selected rules ask for them."""

from __future__ import annotations

from initaudit.analyzer.chains import chains
from initaudit.analyzer.fragments import TOO_DEEP, FragmentError
from initaudit.analyzer.parameters import timelines
from initaudit.analyzer.project import Project
from initaudit.analyzer.reading import Answer, Reading, Trail
from initaudit.analyzer.syntax.facts import facts, syntax_fault
from initaudit.analyzer.syntax.names import undefined
from initaudit.analyzer.triage import comments
from initaudit.facts import Fact, Observation, SyntaxFault, Undecided
from initaudit.finding import Observer, Place
from initaudit.source import SourceError, read_source
from initaudit.timeline import Chain, ParameterTimeline

LOST_ON_META = frozenset({"INI105", "INI106"})
ABOUT_PARAMETERS = frozenset({"INI101", "INI102", "INI103", "INI104"}) | LOST_ON_META


def read(project: Project, filename: str, codes: frozenset[str]) -> Reading:
    """What a file shows, and what else was looked at for it."""
    project.trail = Trail()
    seen = observe(project, filename, codes)
    return Reading(
        filename=filename,
        observation=seen if seen.says_something else None,
        files=tuple(sorted(project.trail.files - {filename})),
        answers=tuple(Answer(search, found) for search, found in project.trail.answers.items()),
    )


def observe(project: Project, filename: str, codes: frozenset[str]) -> Observation:
    """Everything the file shows that the rules with these codes look at."""
    try:
        source = read_source(filename)
    except SourceError as error:
        return _faulty(filename, SyntaxFault(Place(filename, 1, 1, 1, 2), error.detail))
    module = project.load(filename)
    assert module is not None
    if isinstance(fault := module.scopes, SyntaxError):
        broken = syntax_fault(module, fault)
        if broken is not None:
            return _faulty(filename, broken)
    found: list[Fact] = []
    parameters: list[ParameterTimeline] = []
    scales: list[Chain] = []
    undecided: list[Undecided] = []
    try:
        found += facts(project, module, codes)
        if "INI301" in codes:
            found += undefined(module)
        if "INI401" in codes:
            scales += chains(project, module)
        for entry in timelines(project, module, lost=bool(codes & LOST_ON_META)) if codes & ABOUT_PARAMETERS else ():
            if isinstance(entry, Undecided):
                undecided.append(entry)
            else:
                parameters.append(entry)
    except (FragmentError, RecursionError):
        undecided.append(Undecided(place=None, subject=module.name, reason=TOO_DEEP))
    return Observation(
        observer=Observer.ANALYZER,
        source=filename,
        parameters=tuple(parameters),
        chains=tuple(scales),
        facts=tuple(found),
        undecided=tuple(undecided),
        comments=comments(source.raw),
    )


def _faulty(filename: str, fault: SyntaxFault) -> Observation:
    return Observation(observer=Observer.ANALYZER, source=filename, facts=(fault,))
