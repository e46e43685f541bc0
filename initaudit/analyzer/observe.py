"""One file: its parameters, chains and facts, as far as they are asked for."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from initaudit.analyzer.chains import chains
from initaudit.analyzer.module import Module
from initaudit.analyzer.parameters import timelines
from initaudit.analyzer.project import Project
from initaudit.analyzer.reading import Answer, Reading, Trail
from initaudit.analyzer.scopes import TOO_DEEP
from initaudit.analyzer.syntax.facts import facts
from initaudit.analyzer.syntax.names import undefined
from initaudit.analyzer.syntax.units import units, units_at
from initaudit.analyzer.triage import Sought, comments
from initaudit.analyzer.triggers import RAW
from initaudit.files import read_source
from initaudit.finding import Observer, Place
from initaudit.observation import Observation, Undecided
from initaudit.source import SourceError
from initaudit.subjects.base import Fact
from initaudit.subjects.files import SyntaxFault, UndefinedName
from initaudit.subjects.lost_on_meta import NotRestored
from initaudit.timeline import Chain, ParameterTimeline


def read(project: Project, filename: str, wanted: Sequence[Sought]) -> Reading:
    """What a file shows of that which it may hold, and what else was looked at for it."""
    project.trail = Trail()
    seen = observe(project, filename, wanted)
    return Reading(
        filename=filename,
        observation=seen if seen.says_something else None,
        files=tuple(sorted(project.trail.files - {filename})),
        places=dict(sorted(project.trail.places.items())),
        answers=tuple(Answer(search, found) for search, found in project.trail.answers.items()),
    )


def observe(project: Project, filename: str, wanted: Sequence[Sought]) -> Observation:
    """Everything the file shows; of one of which nothing is ``wanted``, whether it parses."""
    module = project.load(filename)
    if module is None:
        return _unread(filename)
    module.unparsed = not wanted
    seen = _seen(project, module, wanted)
    if module.unparsed and module.fault is not None:
        return _faulty(filename, _syntax_fault(module, module.fault))
    if module.unparsed and wanted and (anew := project.read_anew(module)) is not None:
        seen = _seen(project, anew, wanted)
    module.forget_trees()
    return msgspec.structs.replace(seen, comments=comments(module.raw))


def _seen(project: Project, module: Module, wanted: Sequence[Sought]) -> Observation:
    """What the file shows as far as its slices parse."""
    found: list[Fact] = []
    parameters: list[ParameterTimeline] = []
    scales: list[Chain] = []
    undecided: list[Undecided] = []
    try:
        found += facts(project, module, wanted)
        asked = {each.subject for each in wanted}
        if UndefinedName.__name__ in asked:
            found += undefined(module)
        if Chain.__name__ in asked:
            scales += chains(project, module)
        lost = NotRestored.__name__ in asked
        if ParameterTimeline.__name__ in asked:
            _parse_raw(module)
        for entry in timelines(project, module, lost=lost) if lost or ParameterTimeline.__name__ in asked else ():
            if isinstance(entry, Undecided):
                undecided.append(entry)
            elif isinstance(entry, NotRestored):
                found.append(entry)
            else:
                parameters.append(entry)
    except RecursionError:
        undecided.append(Undecided(place=None, subject=module.name, reason=TOO_DEEP))
    return Observation(
        observer=Observer.ANALYZER,
        source=module.filename,
        parameters=tuple(parameters),
        chains=tuple(scales),
        facts=tuple(found),
        undecided=tuple(undecided),
    )


def _parse_raw(module: Module) -> None:
    """Parse whatever allocates raw memory, so that it is noticed where it is not Python, also outside of classes."""
    for unit in units_at(units(module), RAW.rows(module.raw)):
        module.snippet(unit.start, unit.end)


def _unread(filename: str) -> Observation:
    """Why a file could not be read. One that is gone has nothing to say."""
    try:
        read_source(filename)
    except SourceError as error:
        match error.__cause__:
            case FileNotFoundError():
                return Observation(observer=Observer.ANALYZER, source=filename)
            case OSError():
                return Observation(observer=Observer.ANALYZER, source=filename, error=error.detail)
        return _faulty(filename, SyntaxFault(Place(filename, error.row, 1, error.row, 2), error.detail))
    return Observation(observer=Observer.ANALYZER, source=filename, error="changed while it was being read")


def _syntax_fault(module: Module, error: SyntaxError) -> SyntaxFault:
    """Why a file is no Python, and where that shows."""
    row, column = error.lineno or 1, error.offset or 1
    return SyntaxFault(Place(module.filename, row, column, row, column + 1), error.msg)


def _faulty(filename: str, fault: SyntaxFault) -> Observation:
    return Observation(observer=Observer.ANALYZER, source=filename, facts=(fault,))
