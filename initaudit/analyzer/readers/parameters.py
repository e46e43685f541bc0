"""Timelines of the parameters that the classes of a file allocate without initializing them."""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from initaudit.analyzer import torch_api
from initaudit.analyzer.failures import Failure, guarded
from initaudit.analyzer.file.matches import Words, groups
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.reading import Search
from initaudit.analyzer.meta import not_restored, restored, restorer
from initaudit.analyzer.programs.constructor import (
    Construction,
    Registered,
    construct,
    coverage,
    options_known,
    registered,
    timeline,
    unreadable_base,
)
from initaudit.analyzer.programs.graph import is_template
from initaudit.analyzer.programs.lookups import derived_elsewhere
from initaudit.analyzer.programs.methods import (
    called_by_others,
    callers,
    configured,
    forgotten_initializers,
    is_called_in,
    run_by_forward,
)
from initaudit.analyzer.programs.passed import keeps_size, passes_integer
from initaudit.analyzer.programs.promise import combined
from initaudit.analyzer.programs.verdict import Verdict, judge
from initaudit.analyzer.project.names import Defined, External, Project
from initaudit.analyzer.project.writing import may_load
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.unread import is_unread_anywhere
from initaudit.analyzer.source.snippets import FunctionNode, dotted, last_name, nodes
from initaudit.analyzer.symbolic.conditions import decide
from initaudit.analyzer.symbolic.tensors import BY_INDEX
from initaudit.analyzer.symbolic.torch import layers
from initaudit.analyzer.symbolic.values import Storage
from initaudit.analyzer.syntax.context import File, own_attribute
from initaudit.analyzer.syntax.only_read import first_read
from initaudit.analyzer.syntax.scopes import scopes_holding
from initaudit.analyzer.syntax.uses import usage
from initaudit.finding import Place
from initaudit.observation import Undecided
from initaudit.subjects.lost_on_meta import NotRestored
from initaudit.timeline import Coverage, Kind, Only, ParameterTimeline

Outcome = ParameterTimeline | NotRestored | Undecided | Failure
ALLOCATES = "Tensor( new( empty*( skip_init("
REGISTERS = "Parameter( register_parameter( register_buffer( Buffer( DTensor skip_init("
SKIPS = "skip_init"
RAW, REGISTERED = groups(ALLOCATES), groups(REGISTERS)
REGISTERING = groups("aram*( uffer*( egist*( DTensor data skip_init(")
"""Wider than what registers: classes hand it to functions of theirs."""
UNSEEN = (ParameterTimeline.__name__, NotRestored.__name__)
RESETS = set(torch_api.RESET_BY_CONSTRUCTOR.values())
LISTING = {"parameters", "named_parameters", "buffers", "named_buffers"}


@reads(NotRestored, scope=File, words=REGISTERS, imported=False)
@reads(ParameterTimeline, scope=File, words=ALLOCATES, imported=False)
@reads(ParameterTimeline, scope=File, words="reset_parameters", nearby="super(")
def parameters(file: File) -> Iterator[Outcome]:
    """The life of every parameter that is raw at some time, and what is lost on meta, where it is asked for."""
    if file.asks_for(ParameterTimeline):
        for scope in scopes_holding(file.module, RAW):
            file.module.snippet(scope.start, scope.end)  # so that one which is not Python is noticed, in no class too
    yield from timelines(file.project, file.module, lost=file.asks_for(NotRestored))


def timelines(project: Project, module: Module, *, lost: bool = False, written: bool = False) -> Iterator[Outcome]:
    """The life of every parameter that a class of the file allocates raw, and what is ``lost`` on meta.

    Of those that are ``written`` no rule has anything to say, and their positions are costly: they come when asked for.
    """
    if is_template(project, module):
        return
    for cls in _candidates(project, module, lost=lost):
        yield from guarded(_of_class(project, cls, lost=lost, written=written), cls.qualname)


def _of_class(project: Project, cls: Defined, *, lost: bool, written: bool) -> Iterator[Outcome]:
    """The life of every parameter of one class, as above."""
    module, definition = cls.module, cls.definition
    reason = unreadable_base(project, cls)
    words = module.matches(definition.start, definition.end)
    is_module, registers = project.is_module_class(cls), words.holds_all(REGISTERED)
    if project.mro(cls) is not None and not is_module and not (reason and registers):
        if registers:
            yield from _mixed_in(project, cls, written=written)
        return
    place = Place(module.filename, definition.row, 1, definition.row, len(module.lines[definition.row - 1]) + 1)
    construction = construct(project, cls) if reason is None else None
    if construction is None or construction.failure:
        reason = reason or (construction.failure if construction else "")
        yield Undecided(place=place, subject=cls.qualname, reason=reason or "", unseen=UNSEEN)
    if construction is not None:
        by = restorer(construction) if lost else None
        yield from _allocated_raw(construction, by, written=written)
        if by is not None:
            yield from _written_at_once(construction, by)


def _candidates(project: Project, module: Module, *, lost: bool) -> Iterator[Defined]:
    """The classes that allocate raw memory and register it, themselves or by functions and methods that they call.

    What may be ``lost`` on meta is registered by any class that registers something.
    """
    allocates, registers = _Doing(module, RAW, _allocates), _Doing(module, REGISTERING, _registers)
    for definition in module.outline.classes():
        cls = Defined(module, definition)
        registered = lost and module.matches(definition.start, definition.end).holds_all(REGISTERED)
        if (
            registered
            or _resets_a_layer(project, cls)
            or (allocates.found_in(cls) and any(map(registers.found_in, (cls, *_inherited(project, cls)))))
        ):
            yield cls


def _resets_a_layer(project: Project, cls: Defined) -> bool:
    """Whether a class derives from a layer of torch, and has its reset in the place of that of the layer."""
    return not RESETS.isdisjoint(cls.definition.members) and any(
        isinstance(base, External) and base.name.removeprefix("torch.nn.") in layers.WITH_WEIGHT
        for base in project.mro(cls) or ()
    )


class _Doing:
    """What code of a file does, by words that stand where it does so, and by what tells it in a syntax tree."""

    def __init__(self, module: Module, words: Words, does: Callable[[ast.AST], bool]) -> None:
        self._words = words
        self._does = does
        functions = (each for each in module.outline.members.values() if not each.is_class)
        self._functions = [f"{each.name}(" for each in functions if self._itself(Defined(module, each))]

    def found_in(self, found: Defined) -> bool:
        """Whether a class or a function does it, or calls a function of the file that does."""
        words = found.module.matches(found.definition.start, found.definition.end)
        return any(map(words.holds, self._functions)) or self._itself(found)

    def _itself(self, found: Defined) -> bool:
        module, definition = found.module, found.definition
        if not module.matches(definition.start, definition.end).holds_all(self._words):
            return False
        snippet = module.snippet(definition.start, definition.end)
        return snippet is None or any(map(self._does, snippet.nodes))


def _allocates(node: ast.AST) -> bool:
    """Whether a call may give raw memory."""
    name = last_name(node.func) if isinstance(node, ast.Call) else ""
    return name.endswith("Tensor") or name in ("new", SKIPS) or name.startswith(("empty", "new_empty"))


def _registers(node: ast.AST) -> bool:
    """Whether something registers memory, or is called as if it did; or puts it in the place of what is registered."""
    match node:
        case ast.Call(func=function):
            name = last_name(function)
            return any(part in name for part in ("aram", "uffer", "egist", SKIPS)) and name not in LISTING
        case ast.Name(id=name) | ast.Attribute(attr=name) if "DTensor" in name:
            return True
        case ast.Assign(targets=targets):
            return any(isinstance(target, ast.Attribute) and target.attr == "data" for target in targets)
    return False


def _inherited(project: Project, cls: Defined) -> Iterator[Defined]:
    """Those methods of its bases that a class calls."""
    snippet = cls.module.snippet(cls.definition.start, cls.definition.end)
    called = (node.func for node in (snippet.nodes if snippet is not None else ()) if isinstance(node, ast.Call))
    for name in sorted({each.attr for each in called if isinstance(each, ast.Attribute) and _is_own(each.value)}):
        found = project.method(cls, name, after=cls)
        if isinstance(found, Defined):
            yield found


def _is_own(owner: ast.expr) -> bool:
    """Whether an expression is the object itself, or what it inherits."""
    return dotted(owner) == "self" or (isinstance(owner, ast.Call) and dotted(owner.func) == "super")


def _mixed_in(project: Project, mixin: Defined, *, written: bool) -> Iterator[ParameterTimeline]:
    """The life of what a class that is no module makes for those that derive from it: as one that forgets it has it."""
    found = [
        one
        for cls in combined(project, mixin)
        if unreadable_base(project, cls) is None
        for one in _allocated_raw(construct(project, cls), None, written=written)
        if isinstance(one, ParameterTimeline) and one.model == mixin.qualname
    ]
    found.sort(key=lambda one: one.coverage in (Coverage.NEVER, Coverage.PARTIAL))
    places = {(one.name, one.allocation.place): one for one in found if one.allocation is not None}
    yield from places.values()


def _allocated_raw(construction: Construction, by: str | None, *, written: bool) -> Iterator[Outcome]:
    loaded = _is_loaded(construction)
    found = [entry for entry in registered(construction) if _is_size(entry.storage, construction)]
    decided = {entry.storage: _constructed(construction, entry, found, loaded=loaded) for entry in found}
    suspects = [entry for entry in found if decided[entry.storage].coverage in (Coverage.NEVER, Coverage.PARTIAL)]
    forgotten = {entry.storage: list(forgotten_initializers(construction, entry)) for entry in suspects}
    for storage, verdict in (judge(construction, suspects) if suspects else {}).items():
        own = decided[storage]
        never = verdict.coverage is Coverage.NEVER
        if never:
            verdict = dataclasses.replace(verdict, coverage=own.coverage, gap=own.gap, only=own.only or verdict.only)
        decided[storage] = verdict
    for entry in found:
        storage, verdict = entry.storage, decided[entry.storage]
        writing = forgotten.get(storage, [])
        if verdict.coverage in (Coverage.NEVER, Coverage.PARTIAL):
            reason = _used_later(construction, entry, writing, verdict.built)
            if verdict.coverage is Coverage.PARTIAL and reason is None and _reads_what_is_written(construction, entry):
                continue
            verdict = Verdict(Coverage.UNKNOWN, reason=reason) if reason is not None else verdict
        elif verdict.coverage is Coverage.WRITTEN and by is not None and entry not in suspects and not loaded:
            yield from [] if restored(construction, entry, by) else [not_restored(construction, entry, by)]
        if verdict.coverage is Coverage.WRITTEN and not storage.legacy and not written:
            continue
        storage.writes += [event for event in verdict.by if event not in storage.writes]
        if verdict.coverage is Coverage.NEVER and verdict.only is None and _is_unread(construction, entry):
            verdict = dataclasses.replace(verdict, only=Only.UNREAD)
        decision = verdict.coverage, verdict.gap
        names = [each.definition.name for each in writing if not may_load(each.definition.name)]
        name = names[0] if names and verdict.coverage is not Coverage.WRITTEN else None
        result = timeline(construction, entry, decision, name, built=verdict.built, only=verdict.only)
        if verdict.coverage in (Coverage.NEVER, Coverage.PARTIAL) and result.allocation is not None:
            shape = result.allocation.shape
            used = usage(construction.run.project, construction.cls, entry.name, shape) if shape is not None else None
            result = msgspec.structs.replace(result, usage=used, read_first=_is_read_first(construction, entry))
        yield result
        if verdict.coverage is Coverage.UNKNOWN and result.allocation is not None:
            subject = f"{result.model}.{result.name}"
            reason = verdict.reason or "which elements are written"
            yield Undecided(place=result.allocation.place, subject=subject, reason=reason, unseen=UNSEEN)


def _is_read_first(construction: Construction, entry: Registered) -> bool | None:
    """Whether the forward reads a buffer that no code writes, in a project that loads no states; None if unknown."""
    project, cls = construction.run.project, construction.cls
    if entry.kind is not Kind.BUFFER or project.find(Search(project.work_folder(cls.module), word=b"load_state_dict")):
        return None
    return True if first_read(project, cls, entry.name, built=True) is not None else None


def _reads_what_is_written(construction: Construction, entry: Registered) -> bool:
    """Whether nothing reads a parameter but its class, and that only by the indices by which elements are written."""
    writes = entry.storage.writes
    if any(event.part is None for event in writes):
        return False
    project, cls, name = construction.run.project, construction.cls, entry.name
    writing = {id(node) for event in writes for node in nodes(event.origin.node)}
    methods = [found[1] for each in project.methods(cls) if (found := each.module.function(each.definition))]
    written, read = set[str](), set[str]()
    kept = _kept_arguments(methods)
    for method in methods:
        indexed = {id(owner): _plain_index(index, kept) for owner, index in _indexed(method, name)}
        for node in nodes(method):
            if isinstance(node, ast.Call) and _takes_by_text(node, name):
                return False
            if own_attribute(node) != name or not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Load):
                continue
            if id(node) not in indexed:
                return False
            (written if id(node) in writing else read).add(indexed[id(node)])
    elsewhere = any(usage.of_others(name) for usage in cls.module.usages(name))
    return bool(read) and read <= written and not elsewhere


def _indexed(method: ast.AST, name: str) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield where a method takes some of a parameter, and the index."""
    for node in nodes(method):
        match node:
            case ast.Subscript(value=ast.Attribute(attr="data", value=owner), slice=index) if (
                own_attribute(owner) == name
            ):
                yield owner, index
            case ast.Subscript(value=owner, slice=index) if own_attribute(owner) == name:
                yield owner, index
            case _:
                pass


def _kept_arguments(methods: Sequence[FunctionNode]) -> set[str]:
    """The arguments of a constructor that the object keeps under their own names, and that nothing else sets."""
    kept = set[str]()
    for method in methods:
        for node in method.body if method.name == "__init__" else ():
            match node:
                case ast.Assign(targets=[target], value=ast.Name(id=name)) if own_attribute(target) == name:
                    kept.add(name)
                case _:
                    pass
    return {name for name in kept if sum(_sets(each, name) for each in methods) == 1}


def _sets(method: ast.AST, name: str) -> int:
    """How often a method gives an attribute of the object, or a variable of this name, a value."""
    return sum(
        isinstance(node, ast.Name | ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and name in (own_attribute(node), getattr(node, "id", None))
        for node in nodes(method)
    )


class _Kept(ast.NodeTransformer):
    """Puts arguments in the place of the attributes that keep them."""

    def __init__(self, kept: set[str]) -> None:
        self._kept = kept

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """Return the argument that an attribute keeps, or the attribute."""
        return ast.Name(node.attr, ast.Load()) if own_attribute(node) in self._kept else node


def _plain_index(index: ast.expr, kept: set[str]) -> str:
    """An index as text, in which an argument and the attribute that keeps it are one."""
    return ast.unparse(_Kept(kept).visit(copy.deepcopy(index)))


def _takes_by_text(call: ast.Call, name: str) -> bool:
    """Whether a call takes a parameter of the object by a text."""
    match call:
        case ast.Call(func=ast.Name(id="getattr"), args=[ast.Name(id="self"), ast.Constant(value=text), *_]):
            return bool(text == name)
        case ast.Call(func=ast.Name(id="getattr"), args=[ast.Name(id="self"), *_]):
            return True
    return False


def _is_unread(construction: Construction, entry: Registered) -> bool:
    name = entry.name.partition(".")[0]
    return entry.kind is Kind.PARAMETER and is_unread_anywhere(construction.run.project, construction.cls, name)


def _constructed(construction: Construction, entry: Registered, found: list[Registered], *, loaded: bool) -> Verdict:
    """The verdict as far as the constructor shows it."""
    others = [other.storage for other in found if other is not entry]
    covered, gap = coverage(entry, others, construction.run.impossible)
    reason = entry.storage.escaped or construction.failure
    if loaded or entry.loaded:
        reason = "the class holds packed storage, which a loader fills" if loaded else "it has a loader of its own"
    if reason is not None and covered is not Coverage.WRITTEN:
        return Verdict(Coverage.UNKNOWN, reason=reason)
    option = options_known(entry, construction.run.impossible) if covered is Coverage.WRITTEN else None
    if option is not None and entry.kind is Kind.PARAMETER:
        return Verdict(Coverage.PARTIAL, gap=option, only=Only.OPTION)
    return Verdict(covered, gap=gap)


def _used_later(
    construction: Construction, entry: Registered, writing: list[Defined], built: Place | None
) -> str | None:
    """Why a parameter that methods of the class would write may be written by the time that it is used.

    Where a program is known to build the class, only what its file calls counts, and no method that loads: the program
    has been followed, and does without.
    """
    project, cls = construction.run.project, construction.cls
    at_first_use = run_by_forward(construction)
    program = project.load(built.filename) if built is not None else None
    for method in writing:
        if method in at_first_use:
            return f"{method.definition.name} writes it when the module is used"
        for caller in callers(construction, method):
            name = caller.definition.name
            if program is not None and may_load(name):
                continue
            if (
                is_called_in(project, program, name, cls)
                if program is not None
                else called_by_others(project, cls, name)
            ):
                return f"{method.definition.name} is called by others"
    if configured(construction, entry):
        return "the configuration of its framework speaks of it"
    other = derived_elsewhere(project, cls) if built is None else None
    return f"{Path(other.filename).name} derives from it by another path" if other is not None else None


def _written_at_once(construction: Construction, by: str) -> Iterator[NotRestored]:
    """What was never raw, but is once the module was on meta, since ``by`` does not write it."""
    for entry in registered(construction, raw=False) if not _is_loaded(construction) else ():
        storage = entry.storage
        if storage.origin is not None and not storage.garbage and not restored(construction, entry, by):
            yield not_restored(construction, entry, by)


def _is_loaded(construction: Construction) -> bool:
    """Whether a class has memory for packed weights: of a type for them, and not filled by indices."""
    return any(
        storage.dtype in torch_api.LOADED_DTYPES and all(event.by != BY_INDEX for event in storage.writes)
        for storage in construction.run.storages
    )


def _is_size(storage: Storage, construction: Construction) -> bool:
    """Whether the argument of a legacy constructor is known to be a size."""
    pending = storage.pending
    return (
        pending is None
        or construction.run.is_integer(pending, storage.condition)
        or passes_integer(construction, pending)
        or keeps_size(construction, pending)
        or any(_is_overwritten(other) for other in construction.run.storages if other.pending == pending)
    )


def _is_overwritten(storage: Storage) -> bool:
    """Whether code writes all of some memory wherever it is allocated, so that data in it would be lost."""
    whole = (event.condition for event in storage.writes if event.part is None)
    return any(decide(written, storage.condition) is True for written in whole)
