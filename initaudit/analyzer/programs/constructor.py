"""Run the constructor of a class symbolically, and return the timeline of each parameter that it creates.

A framework's initializer, a parent or a subclass may still write what the constructor leaves uninitialized; see
``programs``.
"""

from __future__ import annotations

import ast
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from initaudit.analyzer.frameworks import KNOWN_BASES, NEUTRAL_CONSTRUCTORS
from initaudit.analyzer.programs.graph import Around
from initaudit.analyzer.project.altered import altered, never_runs
from initaudit.analyzer.project.names import Defined, External, Project
from initaudit.analyzer.source.snippets import defaults, dotted, has_decorator, parameters
from initaudit.analyzer.symbolic import tensors
from initaudit.analyzer.symbolic.calls import torch_base
from initaudit.analyzer.symbolic.computed_names import shown
from initaudit.analyzer.symbolic.conditions import (
    MAX_ATOMS,
    TRUE,
    Atom,
    Condition,
    Literal,
    all_of,
    any_of,
    assignments,
    atoms,
    conjuncts,
    decide,
    describe,
    holds,
    negate,
    readable,
    under,
)
from initaudit.analyzer.symbolic.interpreter import Interpreter
from initaudit.analyzer.symbolic.torch import modules
from initaudit.analyzer.symbolic.values import (
    Api,
    Function,
    Instance,
    Memory,
    Origin,
    OutOfBudgetError,
    Part,
    Size,
    Storage,
    Symbol,
    Tensor,
    Value,
    WriteEvent,
    leaves,
    text,
)
from initaudit.finding import Observer, Place
from initaudit.timeline import Allocation, Coverage, Kind, Only, ParameterTimeline, Write

PARAMETER_CONTAINERS = ("torch.nn.ParameterList", "torch.nn.ParameterDict")


@dataclass(slots=True)
class Construction:
    """A class, the object that its constructor made, and the symbolic run of the constructor."""

    cls: Defined
    instance: Instance
    run: Interpreter
    failure: str | None = None
    around: Around | None = None  # the programs that may build it, once they were searched


@dataclass(slots=True)
class Registered:
    """A storage that is registered at the end: its name and kind, and the condition under which it is registered.

    ``loaded`` says that the parameter has its own loading function.
    """

    storage: Storage
    name: str
    kind: Kind
    condition: Condition
    loaded: bool = False

    @property
    def attribute(self) -> str:
        """The attribute of the object that holds it: the parameter, or the layer that has it."""
        return self.name.partition(".")[0]


def unreadable_base(project: Project, cls: Defined) -> str | None:
    """Return the base class that cannot be read, if any; its constructor may do anything."""
    order = project.mro(cls)
    if order is None:
        return "a base class could not be resolved"
    for base in order:
        if isinstance(base, External) and not _is_readable(base) and not never_runs(project, cls, base):
            return f"base class {base.name} is not readable"
    return next(filter(None, (altered(project, base) for base in order if isinstance(base, Defined))), None)


def _is_readable(base: External) -> bool:
    """Whether the constructor of a class is known; those of the standard library make no parameters."""
    package = base.name.partition(".")[0]
    return package == "torch" or package in sys.stdlib_module_names or base.name in KNOWN_BASES


def construct(project: Project, cls: Defined, *, with_parts: bool = False) -> Construction:
    """Run the constructor of a class whose bases are readable, and those of its modules ``with_parts``."""
    run = Interpreter(project)
    run.with_parts = with_parts
    construction = Construction(cls, Instance(cls, torch_base(run, cls)), run)
    for name in ("__init__", "__post_init__"):
        method = project.method(cls, name)
        if isinstance(method, Defined) and method.qualname not in NEUTRAL_CONSTRUCTORS:
            attempt(construction, method)
    if construction.instance.escaped:
        construction.failure = construction.failure or construction.instance.escaped
    return construction


def attempt(construction: Construction, method: Defined, **known: Value) -> None:
    """Call a method of the constructed object; if it does not parse or end, the construction fails."""
    run = construction.run
    try:
        if call_entry(run, construction.instance, method, known) is None:
            construction.failure = not_followed(method)
    except OutOfBudgetError:
        construction.failure = f"{method.definition.name} is too long to follow"
    except RecursionError:
        construction.failure = f"{method.definition.name} nests too deep to follow"
    finally:
        del run.frames[:]
        run.condition = TRUE


@contextmanager
def trial(construction: Construction) -> Iterator[None]:
    """Undo, at the end of the context, all changes of the constructed object."""
    run, instance = construction.run, construction.instance
    owners = [owner for _, owner in _all_owners(construction)]
    parts = (leaf for owner in owners for _, _, leaf in modules.members(run, owner))
    tensors_held = [(leaf, leaf.storage) for leaf in parts if isinstance(leaf, Tensor)]
    held = [each for _, memory in tensors_held for _, each in leaves(memory, TRUE)]
    storages = dict.fromkeys((*run.storages, *(each.storage for each in held if isinstance(each, Memory))))
    before = [(storage, len(storage.writes), storage.escaped, storage.changed) for storage in storages]
    attributes = [(owner, dict(owner.attributes)) for owner in owners]
    escaped, failure, cls = instance.escaped, construction.failure, instance.cls
    called, impossible, allocated = set(run.called), len(run.impossible), len(run.storages)
    try:
        yield
    finally:
        for storage, count, was_escaped, was_changed in before:
            del storage.writes[count:]
            storage.escaped, storage.changed = was_escaped, was_changed
        for tensor, storage_held in tensors_held:
            tensor.storage = storage_held
        for owner, held_before in attributes:
            owner.attributes = held_before
        instance.escaped, construction.failure, instance.cls = escaped, failure, cls
        run.called = called
        del run.impossible[impossible:]
        del run.storages[allocated:]


def call_entry(run: Interpreter, instance: Instance | None, method: Defined, known: dict[str, Value]) -> Value | None:
    """Call a function with unknown arguments: each parameter that is not ``known`` is a symbol.

    Returns None if the function does not parse.
    """
    found = method.module.function(method.definition)
    if found is None:
        return None
    _, node = found
    keywords: dict[str, Value] = {}
    params, given = parameters(node), defaults(node.args)
    for param in params[1:] if instance is not None and not has_decorator(node, "staticmethod") else params:
        name, default = param.arg, given.get(param.arg)
        keywords[name] = known.get(name, Symbol(name))
        if _is_integer(param.annotation) or (isinstance(default, ast.Constant) and type(default.value) is int):
            run.integers.add(name)
        if isinstance(default, ast.Attribute):
            meant = run.project.resolve(method.module, dotted(default))
            if isinstance(meant, External):
                run.defaults[name] = Api(meant.name)
    parent = method.definition.parent
    owner = Defined(method.module, parent) if parent is not None and parent.is_class else None
    return run.invoke(Function(method, instance, owner), [], {**keywords, "**": Symbol("kwargs")}, None)


def not_followed(function: Defined) -> str:
    """Return why a function was not followed."""
    return f"{function.definition.name} could not be followed"


def _is_integer(annotation: ast.expr | None) -> bool:
    """Whether an annotation is ``int`` or ``int | None``."""
    match annotation:
        case ast.Name(id=name):
            return name == "int"
        case ast.BinOp(left=one, op=ast.BitOr(), right=ast.Constant(None)):
            return _is_integer(one)
        case ast.Subscript(value=ast.Name("Optional") | ast.Attribute(attr="Optional"), slice=one):
            return _is_integer(one)
        case _:
            return False


def registered(construction: Construction, *, raw: bool = True) -> Iterator[Registered]:
    """Yield the storages registered as parameters or buffers when construction ends: the raw ones, or the others.

    Of the layers of torch that the object has, only the raw ones.
    """
    found = _registered(construction.run, _owners(construction.instance, layers=raw))
    return (entry for entry in found if entry.storage.raw == raw)


def all_registered(construction: Construction) -> Iterator[Registered]:
    """Yield all storages registered when construction ends, also those of every module that the object has."""
    return _registered(construction.run, _all_owners(construction))


def _registered(run: Interpreter, owners: Iterable[tuple[str, Instance]]) -> Iterator[Registered]:
    seen: set[int] = set()
    for name, owner in owners:
        for key, condition, leaf in modules.members(run, owner):
            if not isinstance(leaf, Tensor) or leaf.part is not None:
                continue
            buffer = leaf.buffer or (key in owner.buffers and not leaf.parameter)
            if not leaf.parameter and not buffer:
                continue
            for when, memory in leaves(leaf.storage, condition):
                if isinstance(memory, Memory) and id(memory.storage) not in seen:
                    seen.add(id(memory.storage))
                    kind = Kind.BUFFER if buffer else Kind.PARAMETER
                    loaded = any("load" in attribute for attribute in leaf.attributes)
                    yield Registered(memory.storage, _path(name, owner, shown(key)), kind, when, loaded)


def _all_owners(construction: Construction) -> Iterator[tuple[str, Instance]]:
    """Yield the object, and all modules and containers of parameters in it."""
    yield from _owners(construction.instance, layers=True)
    inner = modules.all_modules(construction.run, construction.instance, own=False)
    yield from ((name, module) for name, _, module in inner)


def _owners(instance: Instance, *, layers: bool) -> Iterator[tuple[str, Instance]]:
    """Yield the object, its attributes that are parameter containers, and the ``layers`` of torch that it has."""
    yield "", instance
    seen: set[int] = set()
    for name, value in instance.attributes.items():
        for _, leaf in leaves(value, TRUE):
            if not isinstance(leaf, Instance):
                continue
            if leaf.external in PARAMETER_CONTAINERS:
                yield name, leaf
            elif layers:
                yield from _layers(shown(name), leaf, seen)


def _path(name: str, owner: Instance, key: str) -> str:
    """Return the name of a parameter by its owner's; all parameters of a container have that of the container."""
    if owner.external in PARAMETER_CONTAINERS:
        return name or key
    return f"{name}.{key}" if name else key


def _layers(path: str, instance: Instance, seen: set[int]) -> Iterator[tuple[str, Instance]]:
    """Yield the layers of torch that are, or that a container of torch has, at a path; none that was ``seen``."""
    if instance.cls is not None or id(instance) in seen:
        return
    seen.add(id(instance))
    yield path, instance
    for child in instance.children:
        for _, leaf in leaves(child, TRUE):
            if isinstance(leaf, Instance):
                yield from _layers(f"{path}.*", leaf, seen)


# Coverage


def coverage(found: Registered, others: list[Storage], impossible: list[Condition]) -> tuple[Coverage, str | None]:
    """Return how much of a storage is written, and which path or part is not. A replaced storage needs no write."""
    storage, writes = found.storage, found.storage.writes
    if not writes and decide(found.condition, storage.condition):
        return Coverage.NEVER, None
    replaced = negate(found.condition)
    whole = [event for event in writes if event.part is None]
    parts = [event for event in writes if event.part is not None]
    covered = any_of([replaced, *(event.condition for event in whole)])
    missing = _missing_part(parts, storage.shape) if parts else None
    if parts and missing is None:
        covered = any_of([covered, all_of(event.condition for event in parts)])
    elif parts and not whole:
        return (Coverage.UNKNOWN, None) if missing == "" else (Coverage.PARTIAL, f"the code writes only {missing}")
    feasible = all_of([storage.condition, *(negate(path) for path in impossible if atoms(path) & atoms(covered))])
    given: Condition = TRUE
    asked = [storage.condition, covered, *_conditions(others)]
    if len(atoms(feasible).union(*map(atoms, asked))) > MAX_ATOMS:  # what the allocation itself asks for is known
        given, asked = storage.condition, [under(each, storage.condition) for each in asked[1:]]
        covered = asked[0]
        feasible = all_of(under(term, given) for term in conjuncts(feasible) - conjuncts(given))
    for case in assignments(asked, where=feasible):
        if not holds(covered, case) and _initializes_others(case, others, covered, given):
            return Coverage.PARTIAL, f"nothing writes it when {describe(_gap(storage, covered, case))}"
    return Coverage.WRITTEN, None


def options_known(found: Registered, impossible: list[Condition]) -> str | None:
    """Return the strings of an option for which a branch writes a storage, if no branch does for other strings.

    Returns None if the constructor rejects other strings, or writes the storage for them too.
    """
    storage = found.storage
    covered = any_of([negate(found.condition), *(event.condition for event in storage.writes if event.part is None)])
    asked = atoms(covered)
    subjects = {atom.subject for atom in asked}
    constants = sorted({atom.constant for atom in asked if atom.constant is not None and atom.constant[:1] in "'\""})
    if len(subjects) != 1 or None in subjects or len(constants) != len(asked) or not constants:
        return None
    feasible = all_of([storage.condition, *(negate(path) for path in impossible if atoms(path) & asked)])
    for case in assignments([storage.condition, covered], where=feasible):
        if not holds(covered, case) and not any(case.get(atom) for atom in asked):
            return f"only if `{subjects.pop()}` is {' or '.join(constants)}"
    return None


def _conditions(others: list[Storage]) -> list[Condition]:
    return [event.condition for other in others for event in other.writes][:6]


def _initializes_others(case: dict[Atom, bool], others: list[Storage], covered: Condition, given: Condition) -> bool:
    """Whether a path initializes another parameter, so that this one was forgotten there.

    A path that initializes nothing is a choice (``if init_weights:``). A path on which an option has none of the values
    that the code compares (``elif mode == ...`` to the end) counts only if it has code: an ``else`` that initializes
    other parameters.
    """
    options = {atom.subject for atom in atoms(covered)}
    chosen = None in options or any(value and atom.subject in options for atom, value in case.items())
    return any(
        event.part is None
        and atoms(condition := under(event.condition, given)) <= case.keys()
        and holds(condition, case)
        and (chosen or any(atom.subject in options for atom in atoms(condition)))
        for other in others
        for event in other.writes
    )


def _gap(storage: Storage, covered: Condition, case: dict[Atom, bool]) -> Condition:
    """Return the tests of a path that matter."""
    deciding = atoms(covered) - atoms(storage.condition)
    return all_of(Literal(atom, value) for atom, value in case.items() if atom in deciding)


def _missing_part(events: list[WriteEvent], shape: tuple[Value, ...] | None) -> str | None:
    """Return the written parts as text: None if they cover everything, "" if that is unknown."""
    parts = [event.part for event in events if event.part is not None]
    if any(part.diagonal is not None for part in parts):
        shown = sorted({str(part) for part in parts if part.diagonal is not None})
        return " and ".join(shown) if all(part.diagonal is not None for part in parts) and len(shown) == 1 else ""
    if (cells := _cells(parts, shape)) is not None:
        written, count = cells
        return " and ".join(sorted({str(part) for part in parts})) if written < count else None
    if len({(part.dimension, part.step) for part in parts}) > 1 or not all(map(_comparable, parts)):
        return ""
    step = parts[0].step if parts else 1
    if step > 1:
        open_ended = {part.start or "0" for part in parts if part.stop is None}
        covered = open_ended >= {str(offset) for offset in range(step)}
    else:
        last = {part.start for part in parts if _from_end(part.start)} - {part.stop for part in parts}
        if last and any(part.start in (None, "0") for part in parts):
            return ""  # it is unknown whether parts from both ends meet
        reached: set[str | None] = {None, "0"}
        for _ in parts:
            reached |= {part.stop for part in parts if part.start in reached and part.stop is not None}
        ends = {None, _length(shape, parts[0].dimension)}
        covered = any(part.start in reached and part.stop in ends for part in parts)
    if covered:
        return "" if any(part.within for part in parts) else None
    return " and ".join(sorted({str(part) for part in parts}))


def _cells(parts: list[Part], shape: tuple[Value, ...] | None) -> tuple[int, int] | None:
    """Return how many cells some parts are, and of how many; None if they are no cells of the same dimensions."""
    found = {part.cell for part in parts}
    chosen = {tuple(place for place, each in enumerate(cell or ()) if each is not None) for cell in found}
    places = chosen.pop()
    lengths = [int(length) if (length := _length(shape, place) or "").isdigit() else 0 for place in places]
    if chosen or len(places) < 2 or 0 in lengths:
        return None
    numbers = {tuple((cell or ())[place] or 0 for place in places) for cell in found}
    positive = {tuple(number % length for number, length in zip(each, lengths, strict=True)) for each in numbers}
    return len(positive), math.prod(lengths)


def _length(shape: tuple[Value, ...] | None, dimension: int) -> str | None:
    """Return the length of a dimension as text, if every dimension up to it is known."""
    if shape is None or len(shape) <= dimension or any(isinstance(entry, Size) for entry in shape[: dimension + 1]):
        return None
    return text(shape[dimension])


def _comparable(part: Part) -> bool:
    """Whether the bounds of a part are known well enough to compare them."""
    bounds = f"{part.start}{part.stop}"
    known = part.exact and "<" not in bounds and "?" not in bounds
    return known and (not _from_end(part.start) or (part.start or "")[1:].isdigit())


def _from_end(start: str | None) -> bool:
    """Whether a bound counts from the end."""
    return (start or "").startswith("-")


# Timelines


def timeline(
    construction: Construction,
    found: Registered,
    decided: tuple[Coverage, str | None],
    forgotten: str | None = None,
    built: Place | None = None,
    only: Only | None = None,
) -> ParameterTimeline:
    """Return the timeline of a parameter."""
    storage = found.storage
    origin = storage.origin
    assert origin is not None
    allocation = Allocation(
        place=origin.snippet.place(origin.node),
        call=storage.call,
        raw=storage.raw,
        legacy=storage.legacy,
        shape=tensors.known_shape(storage.shape),
        replacement=_replacement(storage) if storage.legacy else None,
        replacement_proven=storage.proven,
    )
    return ParameterTimeline(
        observer=Observer.ANALYZER,
        model=declaring_class(construction, origin).qualname,
        name=found.name,
        kind=found.kind,
        coverage=decided[0],
        allocation=allocation,
        writes=tuple(_write(event) for event in storage.writes[:4]),
        gap=decided[1] or (_option(construction, storage) if decided[0] is Coverage.NEVER else None),
        forgotten=forgotten,
        built=built,
        only=only,
    )


def _option(construction: Construction, storage: Storage) -> str | None:
    """Return the options of the constructor without which a storage does not exist, if its defaults are others."""
    init = construction.run.project.method(construction.cls, "__init__")
    found = init.module.function(init.definition) if isinstance(init, Defined) else None
    needed = [each.atom for each in conjuncts(storage.condition) if isinstance(each, Literal) and each.positive]
    if found is None or not needed:
        return None
    given = defaults(found[1].args)
    names = {each.arg for each in parameters(found[1])}
    if any((atom.subject or atom.text) not in names for atom in needed) or all(
        _is_default(each, given) for each in needed
    ):
        return None
    return f"it exists only if {' and '.join(sorted(f'`{readable(atom.text)}`' for atom in needed))}"


def _is_default(atom: Atom, given: Mapping[str, ast.expr]) -> bool:
    """Whether a test of an option holds for its default."""
    value = given.get(atom.subject or atom.text)
    if not isinstance(value, ast.Constant):
        return False
    return repr(value.value) == atom.constant if atom.constant is not None else bool(value.value)


def declaring_class(construction: Construction, origin: Origin) -> Defined:
    """Return the class in the hierarchy whose body has the allocation; the class itself if a helper allocates."""
    for base in construction.run.project.mro(construction.cls) or ():
        if not isinstance(base, Defined) or base.module.filename != origin.snippet.filename:
            continue
        if base.definition.start <= origin.snippet.start <= base.definition.end:
            return base
    return construction.cls


def _write(event: WriteEvent) -> Write:
    return Write(
        place=event.origin.snippet.place(event.origin.node),
        by=event.by,
        whole=event.part is None,
        cause=event.cause.snippet.place(event.cause.node) if event.cause is not None else None,
        distribution=event.distribution,
    )


def _replacement(storage: Storage) -> str | None:
    """Return the allocation as a call of ``torch.empty``, if the code names torch."""
    origin = storage.origin
    if origin is None or not storage.from_torch or not isinstance(origin.node, ast.Call):
        return None
    arguments = ", ".join(map(origin.snippet.source, (*origin.node.args, *origin.node.keywords)))
    function = origin.node.func
    if not isinstance(function, ast.Attribute):
        return None
    prefix = origin.snippet.source(function.value)
    dtype = f", dtype={prefix}.{storage.dtype.removeprefix('torch.')}" if storage.dtype else ""
    return f"{prefix}.empty({arguments}{dtype})"
