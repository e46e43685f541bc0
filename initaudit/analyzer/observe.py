"""Observe one file: run the readers that may find something in it."""

from __future__ import annotations

import contextlib
import functools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from initaudit.analyzer.failures import Failure
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.reading import Answer, Judge, Reading, comments
from initaudit.analyzer.file.scopes import TOO_DEEP
from initaudit.analyzer.prefilter import Candidate, by_reader
from initaudit.analyzer.programs.graph import around
from initaudit.analyzer.programs.lookups import importing
from initaudit.analyzer.project.names import Defined, External, Global, Project, Resolved
from initaudit.analyzer.readers.applications import is_left_aside, is_never_built, is_unused
from initaudit.analyzer.readers.base import Observed, Reader
from initaudit.analyzer.readers.untaken import untaken
from initaudit.analyzer.refused.older import PYTHON_2
from initaudit.analyzer.refused.refusal import refusal
from initaudit.analyzer.refused.unfinished import syntax_fault
from initaudit.analyzer.syntax.context import Class, Context, File
from initaudit.analyzer.syntax.scopes import holding, scopes
from initaudit.analyzer.torch_api import TORCH
from initaudit.finding import Observer, Place
from initaudit.observation import Observation, Undecided
from initaudit.sources.files import read_source
from initaudit.sources.source import SourceError, Unread
from initaudit.subjects.base import Fact
from initaudit.subjects.files import SyntaxFault
from initaudit.timeline import Chain, ParameterTimeline

Wanting = Callable[[bytes], Sequence[Candidate]]
"""Returns the requested kinds of subject that a text may contain."""


def read(
    project: Project, filename: str, wanted: Sequence[Candidate], judge: Judge | None, wanting: Wanting
) -> Reading:
    """Return the reading of a file: its observation, and the dependencies.

    Where there is something to report, the slices around it are read again with libcst, and that result counts.
    """
    project.start()
    seen = observe(project, filename, wanted, judge)
    if judge is not None and judge.accused(seen) and (module := project.load(filename)) is not None:
        fixes = judge.proved(seen, module.text, lambda text: _read_instead(project, filename, text, wanting))
        seen = msgspec.structs.replace(seen, fixes=fixes)
    return Reading(
        filename=filename,
        observation=seen if seen.says_something else None,
        files=tuple(sorted(project.trail.files - {filename})),
        places=dict(sorted(project.trail.places.items())),
        answers=tuple(Answer(search, found) for search, found in project.trail.answers.items()),
    )


def _read_instead(project: Project, filename: str, text: str, wanting: Wanting) -> Observation:
    """Return the reading that a file would have with another text."""
    with project.instead(filename, text):
        return observe(project, filename, wanting(text.encode()))


@contextlib.contextmanager
def _lossless(project: Project, places: Iterable[Place]) -> Iterator[None]:
    """Inside the context, read the slices around some places with libcst."""
    by_file: dict[str, list[Place]] = {}
    for place in places:
        by_file.setdefault(place.filename, []).append(place)
    modules = {module: there for name, there in by_file.items() if (module := project.load(name)) is not None}
    for module, there in modules.items():
        module.forget_trees()
        module.accused = there
    project.trail.known.clear()  # which may hold nodes of the trees
    try:
        yield
    finally:
        for module in modules:
            module.forget_trees()
            module.accused = ()
        project.trail.known.clear()


def observe(project: Project, filename: str, wanted: Sequence[Candidate], judge: Judge | None = None) -> Observation:
    """Return the observation of a file; if nothing is ``wanted``, only whether it parses.

    The readers that state something of which the ``judge`` reports a finding read again with libcst.
    """
    module = project.load(filename)
    if module is None:
        return _unread(filename)
    if (fault := refusal(module)) is not None:  # a slice may parse even if the file does not
        return _faulty(filename, _syntax_fault(project, module, fault))
    found = _found(project, module, wanted)
    module = project.load(filename) or module  # with another outline, where slices did not parse
    seen = _observation(module, found)
    if judge is not None and (accused := judge.accused(seen)):
        kinds = {kind for kind, _ in accused}
        stating = {each.reader.name for each in wanted if each.subject in kinds}
        with _lossless(project, {place for _, place in accused}):
            found |= _found(project, module, [each for each in wanted if each.reader.name in stating])
        seen = _observation(module, found)
    if judge is not None and (weighing := judge.weighing(seen)):
        unbuilt, unreached = _unused(project, module, weighing)
        seen = msgspec.structs.replace(seen, unbuilt=unbuilt, unreached=unreached)
    module.forget_trees()
    unread = module.unread if module.unread and _may_hold_something(module, wanted) else ()
    faults = tuple(_cell_fault(module, cell) for cell in unread)
    return msgspec.structs.replace(seen, facts=(*seen.facts, *faults), comments=comments(module.raw))


def _unused(project: Project, module: Module, places: Iterable[Place]) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
    """Return, around some places, the classes that no program builds, and the code that no call in it leads to.

    Such code are branches of constructors, and the bodies of functions that nothing calls.
    """
    rows = sorted({place.row for place in places if place.filename == module.filename})
    unbuilt, unreached = dict[Place, None](), dict[Place, None]()
    for row in rows:
        around_it = module.outline.at(row)
        definition = around_it.outermost if around_it is not None else None
        if definition is None:
            continue
        cls = Defined(module, definition)
        if not definition.is_class:
            if row > definition.row and is_unused(project, module, definition):
                unreached[Place(module.filename, definition.row + 1, 1, definition.end, 1)] = None
        elif project.is_module_class(cls):
            if is_never_built(project, cls, around(project, cls)):
                unbuilt[Place(module.filename, definition.start, 1, definition.end, 1)] = None
            elif (branch := untaken(project, cls, row)) is not None:
                unreached[branch] = None
    return tuple(unbuilt), tuple(unreached)


def _may_hold_something(module: Module, wanted: Sequence[Candidate]) -> bool:
    """Whether a scope or an unreadable cell of a document may contain a requested kind of subject."""
    rows = [(start, end) for start, end, _ in scopes(module)]
    rows += [_cell_around(module, cell.place.row) for cell in module.unread]
    return any(each.may_stand_in(module.matches(start, end)) for start, end in rows for each in wanted)


def _cell_around(module: Module, row: int) -> tuple[int, int]:
    """Return the first and last row of a cell that is not Python, which the text has as comments."""
    start = end = row
    while start > 1 and module.lines[start - 1].startswith("#"):
        start -= 1
    while end < len(module.lines) and module.lines[end].startswith("#"):
        end += 1
    return start, end


def _cell_fault(module: Module, cell: Unread) -> SyntaxFault:
    """Return why a cell is not Python, from its rows, which the text has as comments."""
    start, end = _cell_around(module, cell.place.row)
    text = "\n".join(line.partition("# ")[2] for line in module.lines[start - 1 : end])
    fault = syntax_fault(cell.place, cell.reason, text, cell.place.row - start + 1)
    return msgspec.structs.replace(fault, declared=fault.older == PYTHON_2 and cell.python_2)


def _found(project: Project, module: Module, wanted: Sequence[Candidate]) -> dict[str, list[Observed]]:
    """Return what each reader finds, with an outline from the tree of the file if some slice of it does not parse."""
    module.unparsed = False
    found = _found_in_slices(project, module, wanted)
    if module.unparsed and wanted and (anew := project.read_anew(module)) is not None:
        found = _found_in_slices(project, anew, wanted)
    return found


def _found_in_slices(project: Project, module: Module, wanted: Sequence[Candidate]) -> dict[str, list[Observed]]:
    """Return what each reader finds, as far as the slices of the file parse."""
    found: dict[str, list[Observed]] = {each.reader.name: [] for each in wanted}
    try:
        for name, each in _read(project, module, wanted):
            found[name].append(each)
    except RecursionError:
        found[""] = [Undecided(place=None, subject=module.name, reason=TOO_DEEP)]
    return found


def _observation(module: Module, by_reader: Mapping[str, Sequence[Observed]]) -> Observation:
    """Return what the readers found as one observation."""
    found = [each for observed in by_reader.values() for each in observed]
    return Observation(
        observer=Observer.ANALYZER,
        source=module.filename,
        parameters=tuple(each for each in found if isinstance(each, ParameterTimeline)),
        chains=tuple(each for each in found if isinstance(each, Chain)),
        facts=tuple(each for each in found if isinstance(each, Fact)),
        undecided=tuple(each for each in found if isinstance(each, Undecided)),
        error="; ".join(dict.fromkeys(each.detail for each in found if isinstance(each, Failure))) or None,
    )


def _read(project: Project, module: Module, wanted: Sequence[Candidate]) -> Iterator[tuple[str, Observed]]:
    """Yield what each reader finds in the scopes that contain its words, with the name of the reader."""
    if any(each.reader.imported for each in wanted) and not _leads_to_torch(project, module):
        wanted = [each for each in wanted if not each.reader.imported]
    of_functions: list[tuple[Reader[Any], list[Candidate]]] = []
    for reader, declared in by_reader(wanted):
        if reader.scope is File:
            file = File(project, module, frozenset(each.subject for each in declared))
            yield from ((reader.name, each) for each in reader(file))
        elif reader.scope is Class:
            for definition in module.outline.classes():
                matches = module.matches(definition.start, definition.end)
                if any(each.may_stand_in(matches) for each in declared):
                    yield from ((reader.name, each) for each in reader(Class(project, module, definition)))
        else:
            of_functions.append((reader, declared))
    if of_functions:
        yield from _of_functions(project, module, of_functions)


def _of_functions(
    project: Project, module: Module, wanted: Sequence[tuple[Reader[Any], list[Candidate]]]
) -> Iterator[tuple[str, Observed]]:
    """Yield what the readers find in functions and stretches of top-level code."""
    found = [(reader, _holding(module, declared)) for reader, declared in wanted]
    for index, (start, end, definition) in enumerate(scopes(module)):
        here = [reader for reader, parts in found if parts >> index & 1]
        snippet = module.snippet(start, end) if here else None
        if snippet is None:
            continue
        context = Context(project, module, definition, snippet)
        for reader in here:
            yield from ((reader.name, each) for each in reader(context))


def _holding(module: Module, declared: Iterable[Candidate]) -> int:
    """Return the parts of a file that may contain one of the candidates."""
    found = 0
    for each in declared:
        here = holding(module, each.declared.words)
        if here and each.asked:
            here = functools.reduce(operator.or_, (holding(module, words, here) for words in each.asked))
        if here and (named := each.declared.named):
            names = ["" if part.definition is None else part.definition.name for part in scopes(module)]
            here &= sum(1 << index for index, name in enumerate(names) if any(one in name for one in named))
        found |= here
    return found


def _leads_to_torch(project: Project, module: Module) -> bool:
    """Return whether a file imports torch, a package of models for it, or something of a file that names torch."""
    imported = (*module.outline.imports.values(), *module.outline.star_imports)
    if any(name.partition(".")[0] in TORCH for name in imported):
        return True
    sources = [*project.star_sources(module), *(project.imported(module, name) for name in imported)]
    return any(_is_of_torch(each) for each in sources)


def _is_of_torch(found: Module | Resolved | str | None) -> bool:
    match found:
        case str(name) | External(name=name):
            return name.partition(".")[0] in TORCH
        case Module():
            return b"torch" in found.raw
        case Defined(module=module) | Global(module=module):
            return b"torch" in module.raw
    return False


def _unread(filename: str) -> Observation:
    """Return why a file could not be read; nothing if it no longer exists."""
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


def _syntax_fault(project: Project, module: Module, error: SyntaxError) -> SyntaxFault:
    """Return why a file is not Python, and where."""
    row, column = error.lineno or 1, error.offset or 1
    place = Place(module.filename, row, column, row, column + 1)
    fault = syntax_fault(place, error.msg, module.text, row, lambda: importing(project, module) != {module})
    return msgspec.structs.replace(fault, aside=fault.broken_off and is_left_aside(project, module))


def _faulty(filename: str, fault: SyntaxFault) -> Observation:
    return Observation(observer=Observer.ANALYZER, source=filename, facts=(fault,))
