"""Functions elsewhere that would initialize a module they are given, and the code that gives them a model.

One that nothing calls is no excuse.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initaudit.analyzer.file.matches import groups
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Definition
from initaudit.analyzer.file.reading import Search
from initaudit.analyzer.file.usage import WALKS
from initaudit.analyzer.programs.constructor import Construction, Registered, all_registered, trial
from initaudit.analyzer.programs.follow import Course, Fate, follow
from initaudit.analyzer.programs.graph import Around, Scope, is_template, modules_naming, namers
from initaudit.analyzer.programs.lookups import finders
from initaudit.analyzer.programs.promise import run_on_module
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.project.writing import functions
from initaudit.analyzer.source.snippets import dotted, has_decorator, last_name, nodes, parameters
from initaudit.analyzer.symbolic.values import OutOfBudgetError, Storage

REACHES = WALKS | {"apply", "state_dict"}
INITIALIZES = groups("init. normal_( uniform_( zero_( fill_( copy_( .data")
WALKING = groups(("parameters( modules( apply(", *map(" ".join, INITIALIZES)))
DRAWING = groups("apply( parameters( modules( xavier kaiming orthogonal normal_( uniform_(")
"""What a model does that draws the layers of its parts itself: what a framework calls for it is known otherwise."""
MAX_FILES = 40
MAX_LEVELS = 4
MAX_SCOPES = 30


def initialized(
    construction: Construction, found: Sequence[Registered], around: Around, limit: int
) -> dict[Storage, list[Course]]:
    """What happens to each storage where something calls an initializer with a model that may hold the class.

    Raises OutOfBudgetError where the code that calls them takes more steps than ``limit``.
    """
    courses: dict[Storage, list[Course]] = {}
    limit += construction.run.spent
    for function in writing(construction, found):
        for course_by in _reached(construction, found, around, function, limit):
            for storage, course in course_by.items():
                if course.by or course.fate is Fate.UNKNOWN:
                    courses.setdefault(storage, []).append(course)
    return courses


def writing(construction: Construction, found: Sequence[Registered], *, anywhere: bool = True) -> Iterator[Defined]:
    """The functions that would write one of the storages if they were given the module, or a model around it.

    Those that walk any model, of which the class is not known to be a part, are among them if ``anywhere`` is set.
    """
    project, cls = construction.run.project, construction.cls
    near = dict.fromkeys(modules_naming(project, cls))
    named = (
        Defined(module, definition)
        for module in near
        for entry in found
        for definition in functions(module).that_may_write(entry.attribute)
    )
    walking = _walking(project, cls.module) if anywhere else ()
    whole = (Defined(module, each) for module in walking for each in _walkers(module))
    for function in dict.fromkeys((*named, *whole)):
        if function.definition.parent is not None or function.definition.is_class:
            continue
        before = {entry.storage: _state(entry.storage) for entry in found}
        with trial(construction):
            for whole_model in (False, True):
                run_on_module(construction, function, frozenset(), whole_model=whole_model)
            wrote = any(_state(entry.storage) != before[entry.storage] for entry in found)
            wrote = wrote or construction.failure is not None
            replaced = any(_is_replaced(construction, entry) for entry in found)
        if wrote or (replaced and not _puts_back(function)):
            yield function


def _state(storage: Storage) -> tuple[int, str | None, bool]:
    """What differs once something has written a storage, or computed new values for it."""
    return len(storage.writes), storage.escaped, storage.changed and not (storage.raw and not storage.writes)


def _puts_back(function: Defined) -> bool:
    """Whether a function is a context manager whose ``finally`` assigns in every way in which it assigns before."""
    found = function.module.function(function.definition)
    if found is None or not has_decorator(found[1], "contextmanager", "contextlib.contextmanager"):
        return False
    inside = list(nodes(found[1]))
    last = {each for node in inside if isinstance(node, ast.Try) for one in node.finalbody for each in nodes(one)}
    before = {way for node in inside if node not in last for way in _assigned(node)}
    return bool(before) and before <= {way for node in last for way in _assigned(node)}


def _assigned(node: ast.AST) -> Iterator[str]:
    """What a node assigns of an object: an attribute, by its name, an item, or any by ``setattr``."""
    match node:
        case ast.Attribute(attr=name, ctx=ast.Store()):
            yield name
        case ast.Subscript(ctx=ast.Store()):
            yield "[]"
        case ast.Call(func=ast.Name(id="setattr")):
            yield "setattr"


def given_away(construction: Construction, found: Sequence[Registered], around: Around) -> dict[Storage, str]:
    """The storages that some initializer may write in whose file a function hands the class on, to be built unseen.

    With each comes the name of the initializer, which goes over a model that it has as an attribute or an argument.
    """
    fates: dict[Storage, str] = {}
    classes = {each.definition.name for each in around.holding}
    for scope in around.scopes:
        outer = scope.defined
        if outer is None or outer.definition.is_class or scope.is_test:
            continue
        named = _handed_on(outer) & classes
        for walker in scope.module.outline.definitions if named else ():
            if (
                walker is outer.definition
                or not _walks(scope.module, walker)
                or not _is_called(scope.module, walker.name)
            ):
                continue
            owner = Defined(scope.module, walker.owner) if walker.owner is not None else None
            if owner in around.holding:
                continue
            before = {entry.storage: (len(entry.storage.writes), entry.storage.escaped) for entry in found}
            with trial(construction):
                run_on_module(
                    construction,
                    Defined(scope.module, walker),
                    frozenset({owner} if owner is not None else ()),
                    whole_model=True,
                    outermost=construction.cls.definition.name in named,
                )
                for entry in found:
                    if (len(entry.storage.writes), entry.storage.escaped) != before[entry.storage]:
                        fates.setdefault(entry.storage, walker.name)
    return fates


def found_by_name(
    construction: Construction, found: Sequence[Registered], around: Around, limit: int
) -> dict[Storage, str]:
    """The storages that some code may write in a model whose class it finds by a computed name, and what that code is.

    Raises OutOfBudgetError where following it takes more steps than ``limit``.
    """
    fates: dict[Storage, str] = {}
    run = construction.run
    limit += run.spent
    for scope in finders(run.project, construction.cls):
        definition = scope.definition
        if definition is not None and definition.is_class:
            matches = scope.module.matches(definition.start, definition.end)
            if not matches.holds_all(DRAWING):
                continue
        if run.spent > limit:
            raise OutOfBudgetError
        for storage, course in follow(construction, found, scope, around, limit=limit - run.spent).items():
            if course.by:
                fates.setdefault(storage, definition.name if definition is not None else scope.module.name)
    return fates


def _handed_on(function: Defined) -> set[str]:
    """The names that a function puts into a collection or a variable, passes or returns, instead of calling them."""
    found = function.module.function(function.definition)
    values: list[ast.expr | None] = []
    for node in nodes(found[1]) if found is not None else ():
        match node:
            case ast.Dict(values=inner) | ast.List(elts=inner) | ast.Tuple(elts=inner):
                values += inner
            case ast.Assign(value=value) | ast.Return(value=value):
                values.append(value)
            case ast.Call(func=called) if dotted(called) not in ("isinstance", "issubclass", "super"):
                values += [*node.args, *(each.value for each in node.keywords)]
    return {last_name(each) for each in values if isinstance(each, ast.Name | ast.Attribute)}


def _walks(module: Module, definition: Definition) -> bool:
    """Whether a function may go over a model and write in place."""
    words = module.matches(definition.start, definition.end)
    return not definition.is_class and not REACHES.isdisjoint(words.names_called) and words.holds_all(INITIALIZES)


def _is_called(module: Module, name: str) -> bool:
    """Whether a file calls a function or a method of some name."""
    return any(name in usage.last_called for usage in module.usages(name))


def _is_replaced(construction: Construction, entry: Registered) -> bool:
    """Whether a parameter is another one than construction left."""
    kept = all_registered(construction)
    return not any(e.storage is entry.storage and e.condition is entry.condition for e in kept)


def _walking(project: Project, module: Module) -> Iterator[Module]:
    """The files of a project that may walk and initialize a whole model."""
    folder = project.work_folder(module)
    for filename in project.find(Search(folder, words=WALKING))[:MAX_FILES]:
        found = project.load(filename)
        if found is not None and not is_template(project, found):
            yield found


def _walkers(module: Module) -> Iterator[Definition]:
    """The functions of a file that walk a model and write in place."""
    return (definition for definition in module.outline.members.values() if _walks(module, definition))


def _reached(
    construction: Construction, found: Sequence[Registered], around: Around, function: Defined, limit: int
) -> Iterator[dict[Storage, Course]]:
    """What the callers of an initializer do, and the callers of those that are given the model themselves."""
    pending: list[tuple[Defined, int]] = [(function, 0)]
    seen: set[Scope] = set()
    while pending:
        called, level = pending.pop(0)
        for scope, registry in namers(construction.run.project, called):
            if registry is not None or scope in seen or len(seen) >= MAX_SCOPES:
                continue
            seen.add(scope)
            outer, run = scope.defined, construction.run
            if run.spent > limit:
                raise OutOfBudgetError
            courses = follow(construction, found, scope, around, limit=limit - run.spent)
            if outer is not None and outer in around.holding:
                if not courses:  # nobody can read what it builds: it may be the class
                    held = follow(construction, found, scope, around, holds=True, limit=limit - run.spent)
                    yield {storage: each for storage, each in held.items() if each.fate is not Fate.OPTIONAL}
                continue  # what the others do when they are built is known
            if any(course.by or course.fate is not Fate.RAW for course in courses.values()):
                yield courses
            elif (
                outer is not None
                and not outer.definition.is_class
                and level < MAX_LEVELS
                and _passes_on(construction, found, around, scope)
            ):
                pending.append((outer, level + 1))


def _passes_on(construction: Construction, found: Sequence[Registered], around: Around, scope: Scope) -> bool:
    """Whether a function initializes the model that it is given."""
    outer = scope.defined
    node = outer.module.function(outer.definition) if outer is not None else None
    if node is None:
        return False
    given = frozenset(each.arg for each in parameters(node[1])[:4])
    return any(course.by for course in follow(construction, found, scope, around, given).values())
