"""What is lost when a model is built on the meta device, given memory by ``to_empty()``, and initialized once more.

The constructor's values are gone by then; only what the initializer writes is good.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from initaudit.analyzer.file.matches import groups
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Definition
from initaudit.analyzer.file.reading import Search
from initaudit.analyzer.frameworks import APPLYING_METHODS, INITIALIZERS, RESETS
from initaudit.analyzer.programs.constructor import (
    Construction,
    Registered,
    attempt,
    declaring_class,
    registered,
    trial,
)
from initaudit.analyzer.programs.follow import Fate
from initaudit.analyzer.programs.initializers import writing
from initaudit.analyzer.programs.methods import forgotten_initializers
from initaudit.analyzer.programs.promise import containers, promised
from initaudit.analyzer.programs.verdict import STEPS_TO_A_WRITER, WRITING, programs
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.symbolic.values import OutOfBudgetError, Storage
from initaudit.finding import Observer
from initaudit.subjects.lost_on_meta import NotRestored
from initaudit.timeline import Kind

GIVES_MEMORY = groups("to_empty(")


def restorer(construction: Construction) -> str | None:
    """The initializer that runs once more on the class's objects; None when nothing shows that one does."""
    project, cls = construction.run.project, construction.cls
    for name in RESETS:
        if isinstance(method := project.method(cls, name), Defined):
            return method.qualname
    for container in sorted(containers(construction), key=lambda each: (each.module is not cls.module, each.qualname)):
        for name in ("post_init", "init_weights"):
            applying = project.method(container, name)
            if isinstance(applying, Defined) and applying.qualname in APPLYING_METHODS:
                applied = project.method(container, APPLYING_METHODS[applying.qualname])
                return applied.qualname if isinstance(applied, Defined) else None
        for name in INITIALIZERS:
            method = project.method(container, name)
            if isinstance(method, Defined) and _gives_memory(method.module, method.definition):
                return method.qualname
    return _of_a_base(project, cls)


def _of_a_base(project: Project, cls: Defined) -> str | None:
    """The initializer that gives memory to a whole model, in a class that speaks of a base of ``cls``.

    A model that holds blocks of some kind holds those of a subclass too.
    """
    bases = [base for base in project.mro(cls) or () if isinstance(base, Defined) and base != cls]
    giving = Search(cls.module.project_folder, words=GIVES_MEMORY)
    for filename in project.find(giving) if bases else ():
        module = project.load(filename)
        for definition in module.outline.classes() if module is not None else ():
            for name in INITIALIZERS:
                member = definition.members.get(name)
                if module is None or member is None or not _gives_memory(module, member):
                    continue
                if any(_names(module, definition, base) and _is(project, module, base) for base in bases):
                    return Defined(module, member).qualname
    return None


def _gives_memory(module: Module, definition: Definition) -> bool:
    return module.matches(definition.start, definition.end).holds_all(GIVES_MEMORY)


def _names(module: Module, definition: Definition, base: Defined) -> bool:
    return any(each is definition for each in module.naming(base.definition.name))


def _is(project: Project, module: Module, base: Defined) -> bool:
    """Whether a class goes by its own name in a file."""
    return project.resolve(module, base.definition.name) == base


def restored(construction: Construction, found: Registered, by: str) -> bool:
    """Whether the initializer, or anybody but the constructor, writes it; what is not known counts as that."""
    name = by.rpartition(".")[2]
    loads_checkpoints = name in APPLYING_METHODS.values()
    kept_by_loader = loads_checkpoints and found.kind is Kind.BUFFER
    if kept_by_loader or found.storage.escaped or construction.failure:
        return True
    with trial(construction), _forgotten(found.storage):
        method = construction.run.project.method(construction.cls, name) if name in RESETS else None
        if isinstance(method, Defined):
            attempt(construction, method)
        else:
            own = () if loads_checkpoints else forgotten_initializers(construction, found)
            others = writing(construction, [found], anywhere=not loads_checkpoints)
            if promised(construction, found, uncalled=True) or any(others) or any(own):
                return True
            if loads_checkpoints and _written_with_what_holds_it(construction, found):
                return True
        kept = any(entry.storage is found.storage for entry in registered(construction, raw=found.storage.raw))
        return bool(found.storage.writes or found.storage.escaped or construction.failure or not kept)


def _written_with_what_holds_it(construction: Construction, found: Registered) -> bool:
    """Whether a program writes it in a model that holds the object: ``init.normal_(module.gate.weight)``."""
    try:
        courses = programs(construction, [found], WRITING, limit=STEPS_TO_A_WRITER)
    except OutOfBudgetError:
        return False
    return any(course.fate in (Fate.WRITTEN, Fate.OPTIONAL) for course in courses.get(found.storage, ()))


def not_restored(construction: Construction, found: Registered, by: str) -> NotRestored:
    """The fact that it is lost."""
    origin = found.storage.origin
    assert origin is not None
    return NotRestored(
        observer=Observer.ANALYZER,
        place=origin.snippet.place(origin.node),
        model=declaring_class(construction, origin).qualname,
        name=found.name,
        kind=found.kind,
        by=by,
    )


@contextmanager
def _forgotten(storage: Storage) -> Iterator[None]:
    """Inside, nothing has written the memory yet, and no method has run."""
    writes, escaped = storage.writes, storage.escaped
    storage.writes = []
    try:
        yield
    finally:
        storage.writes, storage.escaped = writes, escaped
