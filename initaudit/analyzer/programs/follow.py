"""Follow one program: run its code with the object that a construction left, and see what becomes of its memory."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from initaudit.analyzer.file.module import Module
from initaudit.analyzer.programs.constructor import (
    Construction,
    Registered,
    all_registered,
    call_entry,
    coverage,
    trial,
    unreadable_base,
)
from initaudit.analyzer.programs.graph import CONFIGURED, Around, Scope, top_level
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.source.snippets import parameters
from initaudit.analyzer.symbolic.calls import run_hooks, torch_base
from initaudit.analyzer.symbolic.conditions import (
    FALSE,
    TRUE,
    All,
    Any,
    Atom,
    Condition,
    Literal,
    all_of,
    any_of,
    atoms,
    conjuncts,
    decide,
    describe,
    negate,
)
from initaudit.analyzer.symbolic.execution import execute
from initaudit.analyzer.symbolic.frames import Build, Following, Frame
from initaudit.analyzer.symbolic.interpreter import Interpreter
from initaudit.analyzer.symbolic.torch.modules import LOADS
from initaudit.analyzer.symbolic.values import (
    Choice,
    Class,
    Constant,
    Function,
    Instance,
    Mapping,
    OutOfBudgetError,
    Sequence,
    Storage,
    Symbol,
    Value,
    WriteEvent,
)
from initaudit.finding import Place
from initaudit.timeline import Coverage

STRUCTURAL = re.compile(
    r"[?#]|each of |\.(?:dim|ndim|size|shape|numel|requires_grad)\b|isinstance\(|hasattr\("
    r"|\bin f'|^f'| paths$|is raised$|f'\{"
)
"""Tests that tell parameters apart, or that nobody can read: they are no options of the program."""
CALLED = re.compile(r"\b[\w.]+\(\)\.")
NOT_EQUAL = re.compile(r"not \(([^()]+) == ([^()]+)\)")
TRAINS = {"backward", "optim", "optimizer", "train_step", "training_step", "get_optimizer", "configure_optimizers"}
"""Names in a class that trains a model."""
COMPUTED = "what its values are computed to"
"""Why the values of memory are not known that code scales or shifts after something has written it."""
LONGEST = 100
"""Characters of a condition that a message repeats."""
CHILD = "f'{...}'"
"""The name of a module in a model that nobody can read."""


class Fate(Enum):
    """What a program does with memory that a constructor leaves raw."""

    WRITTEN = "written"
    LOADED = "loaded"  # from a checkpoint, before anything else
    OPTIONAL = "optional"  # written where an option, or a branch, says so
    RAW = "raw"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Course:
    """What one program does with one storage: where it builds the class, and what it depends on.

    ``by`` are the writes, ``handed`` says that the code returns the model or keeps it for others, and ``anew`` that
    it writes what the constructor has left, or may: whoever resumes a training, under an option, has begun one before.
    """

    scope: Scope
    fate: Fate
    built: Place | None
    handed: bool = False
    condition: str | None = None
    reason: str | None = None
    by: tuple[WriteEvent, ...] = ()
    anew: bool = False

    @property
    def name(self) -> str:
        """The name of its code."""
        definition = self.scope.definition
        return definition.name if definition is not None else self.scope.module.name


def only_calls_writers(course: Course, courses: Collection[Course], around: Around) -> bool:
    """Whether some code builds the class only by calling functions, all of which write it as far as they build it."""
    named = around.through.get(course.scope, set())
    fates = {each.fate for each in courses if each.scope in named}
    return fates == {Fate.WRITTEN} and not any(each.defined is None or each.defined in around.holding for each in named)


def follow(
    construction: Construction,
    found: Iterable[Registered],
    scope: Scope,
    around: Around,
    given: frozenset[str] | None = None,
    *,
    holds: bool = False,
    limit: int | None = None,
) -> dict[Storage, Course]:
    """Run a scope, and tell what it does with each storage; nothing where it neither builds nor writes it.

    ``given`` are the parameters of its function that are taken for the model; other ones are unknown. A model that
    ``holds`` the class has an object of it from the begin, whatever its constructor builds. What takes more
    steps than ``limit``, or than any run may take, is not followed to its end.
    """
    entries = list(found)
    run = construction.run
    words = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(around.words)))})\b")
    model = Instance(None, "torch.nn.Module", attributes={CHILD: construction.instance})
    method = run.project.method(construction.cls, "__init__")
    constructor = method if isinstance(method, Defined) else None
    following = Following(words, constructor=constructor, configured=CONFIGURED & around.words)
    before = {entry.storage: len(entry.storage.writes) for entry in entries}
    escaped = {entry.storage: entry.storage.escaped for entry in entries}
    same = {entry.storage for entry in entries if not entry.storage.changed}
    with trial(construction):
        run.restart(limit)
        run.following, run.built, run.stand_in, run.holding = following, construction.instance, model, around.holding
        reason = _unread(run, scope)
        handed = False
        try:
            handed = _enter(construction, following, scope, around, model, given, holds=holds)
        except OutOfBudgetError:
            reason = f"{_name(scope)} is too long to follow"
        except RecursionError:
            reason = f"{_name(scope)} nests too deep to follow"
        finally:
            run.restart()
            run.following, run.built, run.stand_in, run.holding = None, None, None, frozenset()
        kept = {entry.storage: entry for entry in all_registered(construction)}
        courses = {}
        for entry in entries:
            storage = entry.storage
            by = tuple(storage.writes[before[storage] :])
            replaced = storage not in kept or kept[storage].condition is not entry.condition
            computed = storage in same and storage.changed and (bool(storage.writes) or not storage.raw)
            touched = bool(by) or replaced or computed
            if not following.builds and not touched and reason is None:
                continue
            if not following.is_certain and not touched:
                continue
            late = storage.escaped if storage.escaped != escaped[storage] else COMPUTED if computed else None
            course = _course(construction, entry, kept.get(storage), scope, following, by, reason or late, handed)
            if course is not None:
                courses[storage] = course
    return courses


def _unread(run: Interpreter, scope: Scope) -> str | None:
    """Why nobody knows what a model does that has a forward and a base that cannot be read."""
    defined = scope.defined
    if defined is None or not defined.definition.is_class or "forward" not in defined.definition.members:
        return None
    return unreadable_base(run.project, defined)


def _name(scope: Scope) -> str:
    return scope.definition.name if scope.definition is not None else f"the top level of {scope.module.name}"


def _enter(
    construction: Construction,
    following: Following,
    scope: Scope,
    around: Around,
    model: Instance,
    given: frozenset[str] | None,
    *,
    holds: bool,
) -> bool:
    """Run a scope from its begin; whether it hands the model on to whoever calls it."""
    run, defined = construction.run, scope.defined
    if defined is None:
        run_top_level(run, following, scope.module)
        return False
    if defined in run.holding:
        _run_constructor(construction, defined, holds=holds)
        return True
    if defined.definition.is_class:
        return _run_class(construction, following, defined, is_base=_is_base(run.project, defined, around))
    found = defined.module.function(defined.definition)
    if found is None:
        return False
    names = frozenset(param.arg for param in parameters(found[1]))
    following.begin, following.given = defined, names - (given or frozenset())
    known: dict[str, Value] = dict.fromkeys(given or (), model)
    result = _call(run, following, None, defined, known)
    return result is not None and _holds(result, construction.instance)


def _call(
    run: Interpreter, following: Following, instance: Instance | None, function: Defined, known: dict[str, Value]
) -> Value | None:
    """Run a function of a program, and remember whether it both builds the class and trains it."""
    before = len(following.builds)
    result = call_entry(run, instance, function, known)
    following.trains |= len(following.builds) > before and run.trained is not FALSE
    return result


def _run_constructor(construction: Construction, cls: Defined, *, holds: bool) -> None:
    """Build a module that may hold the class, as a library's user would."""
    run = construction.run
    method = run.project.method(cls, "__init__")
    own = construction.cls
    if cls == own or own in (run.project.mro(cls) or ()) or not isinstance(method, Defined):
        return
    attributes: dict[str, Value] = {CHILD: construction.instance} if holds else {}
    model = Instance(cls, torch_base(run, cls), attributes=attributes)
    call_entry(run, model, method, {})
    run_hooks(run, model, None)


def _is_base(project: Project, cls: Defined, around: Around) -> bool:
    """Whether another class derives from one, and may build something else."""
    named = (each.defined for each, inner in around.through.items() if any(one.defined == cls for one in inner))
    return any(each is not None and each != cls and cls in (project.mro(each) or ()) for each in named)


def _run_class(construction: Construction, following: Following, cls: Defined, *, is_base: bool) -> bool:
    """Make an object of a class, then call its methods, as whoever uses it would.

    What a method loads counts only where the class trains nothing: who calls it continues a training.
    """
    run, project = construction.run, construction.run.project
    instance = Instance(cls, torch_base(run, cls))
    methods = {each.definition.name: each for each in project.methods(cls)}
    trains = not TRAINS.isdisjoint(cls.module.usage(cls.definition).names)
    is_module = project.is_module_class(cls)  # what it holds is known not to be the class
    for name in ("__init__", *(each for each in methods if not each.startswith("__"))):
        if (method := methods.get(name)) is None:
            continue
        found = method.module.function(method.definition)
        params = [param.arg for param in parameters(found[1])] if found is not None else []
        following.given = frozenset(params if is_module else params[1:])
        before = [(len(storage.writes), storage.escaped) for storage in run.storages]
        run.trained = FALSE  # nobody knows in which order others call the methods
        _call(run, following, instance, method, {})
        if name != "__init__" and trains:
            _forget_loads(run, before)
        del run.frames[:]
        run.condition = TRUE
    following.trains &= not is_base
    return True


def _forget_loads(run: Interpreter, before: list[tuple[int, str | None]]) -> None:
    """Undo what was loaded, or may have been, since the storages had so many writes."""
    for storage, (count, escaped) in zip(run.storages, before, strict=False):
        storage.writes[count:] = [event for event in storage.writes[count:] if event.by != LOADS]
        if storage.escaped is not None and storage.escaped.endswith(f".{LOADS}"):
            storage.escaped = escaped


def run_top_level(run: Interpreter, following: Following, module: Module) -> None:
    """Run the statements of a file in their order, between the definitions that they find."""
    names = following.names[module.filename] = {"__name__": Constant("__main__")}
    frame: Frame | None = None
    for snippet, definition in top_level(module):
        if definition is not None:
            defined = Defined(module, definition)
            names[definition.name] = Class(defined) if definition.is_class else Function(defined)
        elif snippet is not None:
            if frame is None:
                frame = Frame(module, snippet, names=names)
                run.frames.append(frame)
            frame.snippet = snippet
            execute(run, snippet.body)
            run.condition = TRUE


def _holds(value: Value, instance: Instance, depth: int = 6) -> bool:
    """Whether a value gives whoever has it the object."""
    if value is instance:
        return True
    if not depth:
        return False
    inner: Iterator[Value]
    match value:
        case Choice(_, then, otherwise):
            inner = iter((then, otherwise))
        case Sequence(items=items):
            inner = iter(items)
        case Mapping(items=mapping):
            inner = iter(mapping.values())
        case Instance(attributes=attributes, children=children):
            inner = iter((*attributes.values(), *children))
        case _:
            return False
    return any(_holds(each, instance, depth - 1) for each in inner)


def _course(
    construction: Construction,
    entry: Registered,
    kept: Registered | None,
    scope: Scope,
    following: Following,
    by: tuple[WriteEvent, ...],
    reason: str | None,
    handed: bool,
) -> Course | None:
    """What a program did, from the object as it left it; None where what it builds has no such memory."""
    storage = entry.storage
    exists = all_of([storage.condition, entry.condition])
    builds = [each for each in following.builds if _may_hold(exists, _given(each, exists))]
    if following.builds and not builds and not by:
        return None
    origin = builds[0].origin if builds else None
    built = origin.snippet.place(origin.node) if origin is not None else None
    where = all_of(
        [any_of(all_of([each.condition, _given(each, exists)]) for each in builds) if builds else TRUE, exists]
    )
    replaced = TRUE if kept is None else FALSE if kept.condition is entry.condition else negate(kept.condition)
    events = list(storage.writes)
    drawn = [event for event in events if event.by != LOADS]

    def course(fate: Fate, condition: str | None = None, why: str | None = None) -> Course:
        still = handed and not (fate is Fate.RAW and following.trains)  # what has been trained raw, no caller mends
        loads = _written(storage, list(by), FALSE) if all(event.by == LOADS for event in by) else None
        resumed = loads is not None and decide(loads, known) is not True
        anew = reason is not None or replaced is not FALSE or (bool(by) and not resumed)
        return Course(scope, fate, built, still, condition, why, by, anew)

    written = _written(storage, drawn, replaced)
    loaded = _written(storage, events, replaced)
    where = _feasible(where, [each for each in (written, loaded) if each is not None], construction.run.impossible)
    conditions = [exists, *(event.condition for event in events)]
    known = all_of([where, any_of(_said(each, *conditions) for each in builds) if builds else TRUE])
    if written is not None and decide(written, known) is True:
        return course(Fate.WRITTEN)
    if loaded is not None and decide(loaded, known) is True:
        return course(Fate.LOADED)
    if reason is not None:
        return course(Fate.UNKNOWN, why=reason)
    if not by and replaced is FALSE:
        return course(Fate.RAW)
    if written is None:
        partly, gap = coverage(Registered(storage, entry.name, entry.kind, entry.condition), [], [])
        return (
            course(Fate.UNKNOWN, why="which elements are written")
            if partly is Coverage.UNKNOWN
            else course(Fate.OPTIONAL, gap)
        )
    if written is FALSE or decide(written, where) is False:
        return course(Fate.RAW)
    option = _option(written, where)
    return (
        course(Fate.OPTIONAL, option)
        if option is not None
        else course(Fate.UNKNOWN, why="which of its paths a program takes")
    )


def _feasible(where: Condition, asked: Iterable[Condition], impossible: list[Condition]) -> Condition:
    """A condition without the paths that raise an error or end the program, as far as what is asked speaks of them."""
    spoken = atoms(where).union(*map(atoms, asked))
    for path in impossible:
        left = [term for term in conjuncts(path) if decide(term, where) is not True]
        if left and not spoken.isdisjoint(atoms(path)) and decide(path, where) is not False:
            where = all_of([where, negate(all_of(left))])
    return where


def _may_hold(condition: Condition, given: Condition) -> bool:
    return given is not FALSE and decide(condition, given) is not False


def _given(build: Build, asked: Condition) -> Condition:
    """A condition on parameters of the constructor in terms of what is passed, with what the constants of it say."""
    return all_of([_said(build, asked), _replaced(asked, _known(build, asked))])


def _said(build: Build, *asked: Condition) -> Condition:
    """What the constants that are passed say about the tests in some conditions."""
    known = [item for condition in asked for item in _known(build, condition).items()]
    return all_of([Literal(atom, meant is TRUE) for atom, meant in known if meant in (TRUE, FALSE)])


def _known(build: Build, asked: Condition) -> dict[Atom, Condition]:
    """What the tests of a condition mean, by the values that are passed."""
    known: dict[Atom, Condition] = {}
    for atom in atoms(asked):
        value = build.passed.get(atom.subject or atom.text)
        meant = _meant(atom, value) if value is not None else None
        if meant is not None:
            known[atom] = meant
    return known


def _replaced(condition: Condition, known: dict[Atom, Condition]) -> Condition:
    """A condition with others in place of some tests."""
    match condition:
        case Literal(atom, positive):
            meant = known.get(atom, Literal(atom))
            return meant if positive else negate(meant)
        case All(terms):
            return all_of(_replaced(term, known) for term in terms)
        case Any(terms):
            return any_of(_replaced(term, known) for term in terms)


def _meant(atom: Atom, value: Value) -> Condition | None:
    """The condition under which a test of a parameter is true, by the value that is passed; None for unknown ones."""
    match value:
        case Constant(known) if atom.subject is None:
            return TRUE if known else FALSE
        case Symbol(name) if atom.subject is None:
            return Literal(Atom(name))
        case Constant(known) if atom.text == f"{atom.subject} == {atom.constant}":
            try:
                return TRUE if ast.literal_eval(atom.constant or "") == known else FALSE
            except (SyntaxError, ValueError):
                return None  # compared with what is no constant
        case Symbol(name) if atom.text == f"{atom.subject} == {atom.constant}":
            return Literal(Atom(f"{name} == {atom.constant}", name, atom.constant))
        case Choice(test, then, otherwise):
            one, two = _meant(atom, then), _meant(atom, otherwise)
            if one is not None and two is not None:
                return any_of([all_of([test, one]), all_of([negate(test), two])])
    return None


def _written(storage: Storage, events: list[WriteEvent], replaced: Condition) -> Condition | None:
    """When all of the memory is written; None when only parts are."""
    whole = [event.condition for event in events if event.part is None]
    parts = [event for event in events if event.part is not None]
    if parts and not whole and replaced is FALSE:
        return None
    return any_of([replaced, *whole])


def _short_enough(terms: set[Condition]) -> set[Condition]:
    """As many of some terms as a message repeats, the shortest first; all of them where none is short enough."""
    kept = set[Condition]()
    for term in sorted(terms, key=lambda each: (len(describe(each)), describe(each))):
        if len(describe(all_of({*kept, term}))) <= LONGEST:
            kept.add(term)
    return kept or terms


def _option(written: Condition, where: Condition) -> str | None:
    """The option that a write depends on, as the program spells it; None where it is none.

    Of several ways to write it, what all ask for is said, as much of it as is short enough, or else the shortest way;
    nothing where that is too long.
    """
    ways = written.terms if isinstance(written, Any) else {written}
    asked = [{term for term in conjuncts(way) if decide(term, where) is not True} for way in ways]
    common = _short_enough(set.intersection(*asked))
    shortest = common or min(asked, key=lambda terms: len(describe(all_of(terms))))
    said = all_of(shortest)
    if any(STRUCTURAL.search(atom.text) for atom in atoms(said)):
        return None
    text = CALLED.sub("", describe(said))
    return NOT_EQUAL.sub(r"\1 != \2", text) if len(text) <= LONGEST else ""
