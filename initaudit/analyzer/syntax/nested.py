"""Loops over children that initialize or reset, and whose targets are further down."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import Defined, Project, Resolved
from initaudit.analyzer.source.snippets import dotted, last_name
from initaudit.analyzer.syntax.callers import given_to
from initaudit.analyzer.syntax.context import Context, first_parameter, own_attribute, own_attributes
from initaudit.analyzer.syntax.meaning import What
from initaudit.analyzer.syntax.structure import Attribute, Layer, below, constructed, is_known
from initaudit.analyzer.syntax.walks import INSPECTS, Initialized, Walk, is_container, writes

RESET = "reset_parameters"
INITIALIZING = re.compile(r"init|reset|weight|load")
REACHES_ALL = {"modules", "named_modules", "parameters", "named_parameters", "apply"}


@dataclass(frozen=True, slots=True)
class Missed:
    """Classes of layers that a loop initializes or resets, and the attributes in which all of them are."""

    kinds: tuple[str, ...]
    attributes: tuple[str, ...]


def missed(context: Context, loop: ast.For | ast.AsyncFor, element: str) -> Missed | None:
    """The layers that a loop over ``children()`` is meant for, and of whose class it comes to none."""
    if not isinstance(loop.iter, ast.Call) or not isinstance(loop.iter.func, ast.Attribute):
        return None
    model = loop.iter.func.value
    walk = Walk(context, element, loop.body, writes(context, loop.body, element))
    if not _resets(loop.body, element) and not (_distinguishes(walk) and not _goes_deeper(loop, element)):
        return None
    if context.cls is not None:
        return _missed_in(walk, context.cls, model) if not _initialized_otherwise(context, loop) else None
    itself = ast.Name("self")
    if (made := _made_here(context, model)) is not None:
        return _missed_in(walk, made, itself) if not _initialized_otherwise(context, loop) else None
    each = [
        _missed_in(walk, cls, itself) if cls is not None and not _initialized_otherwise(caller, None) else None
        for caller, cls in _given(context, model)
    ]
    return each[0] if each and None not in each else None


def _distinguishes(walk: Walk) -> bool:
    """Whether all that is written belongs to layers of certain classes."""
    return bool(walk.kinds) and not any(map(is_container, walk.kinds)) and all(write.kinds for write in walk.writes)


def _resets(body: Sequence[ast.stmt], element: str) -> bool:
    """Whether a body resets each module that has a method for it, and does nothing else but print."""
    acting = [each for each in body if not _prints(each)]
    match acting:
        case [ast.If(test=test, body=then, orelse=[])] if ast.unparse(test) == f"hasattr({element}, {RESET!r})":
            return _resets(then, element)
        case [ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr=name), args=[]))]:
            return dotted(owner) == element and name == RESET
    return False


def _prints(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id="print"))):
            return True
    return False


def _given(context: Context, model: ast.expr) -> Iterator[tuple[Context, Defined | None]]:
    """The classes of the models that its callers give a function as its first argument, where that is iterated."""
    first = first_parameter(context)
    for caller, node, meaning, _ in given_to(context, by_apply=False) if first and dotted(model) == first else ():
        found: Resolved | None = caller.cls if dotted(node) == "self" else None
        if meaning is not None and meaning.what is What.MODULE and not meaning.element and len(meaning.kinds) == 1:
            found = caller.project.absolute(meaning.kinds[0], near=caller.module)
        yield caller, found if isinstance(found, Defined) and found.definition.is_class else None


def _made_here(context: Context, model: ast.expr) -> Defined | None:
    """The class of a model that the same code makes, and gives to no function that initializes it by its name."""
    name = dotted(model)
    made = context.assigned(name) if isinstance(model, ast.Name) else ()
    found = context.resolve(made[0].func) if len(made) == 1 and isinstance(made[0], ast.Call) else None
    given = (last_name(call.func) for call in context.calls() if name in map(dotted, call.args))
    if not isinstance(found, Defined) or not found.definition.is_class or any(map(INITIALIZING.search, given)):
        return None
    return found


def _missed_in(walk: Walk, cls: Defined, model: ast.expr) -> Missed | None:
    held, depth = _held(constructed(walk.context.project, cls), model)
    if walk.writes:
        meant = [(one.name, each) for one in held for each in one.layers if _meant(walk.context, walk.writes, each)]
    else:
        meant = [(one.name, each) for one in held for each in _resettable(walk.context.project, one.layers)]
    reached = {each.kind for _, each in meant if each.depth <= depth}
    if any(not one.complete for one in held):
        return None
    nested = [(name, each) for name, each in meant if each.kind not in reached and not (reached and _is_norm(each))]
    kinds, names = dict.fromkeys(each.kind for _, each in nested), dict.fromkeys(name for name, _ in nested)
    return Missed(tuple(kinds), tuple(names)) if nested else None


def _resettable(project: Project, layers: Sequence[Layer]) -> Iterator[Layer]:
    """Layers of torch that have a method for a reset, also those in classes of the project that have none."""
    for layer in layers:
        inside = layer.cls is not None and is_known(project, layer) and RESET not in layer.cls.definition.members
        for each in below(project, [layer], set()) if inside else [layer]:
            if torch_api.RESET_BY_CONSTRUCTOR.get(each.kind.removeprefix("torch.nn.")) == RESET:
                yield each if each is layer else replace(each, path=(*layer.path, None, *each.path))


def _is_norm(layer: Layer) -> bool:
    """Whether a layer is a normalization, which starts as loops set it, also where they do not come to it."""
    return layer.kind.rpartition(".")[2] in torch_api.NORMALIZATIONS


def _held(structure: dict[str, Attribute], model: ast.expr) -> tuple[list[Attribute], int]:
    """The attributes below what is iterated, and how deep its own children are."""
    if dotted(model) == "self":
        return list(structure.values()), 0
    name = own_attribute(model)
    return ([structure[name]], 1) if name is not None and name in structure else ([], 0)


def _meant(context: Context, made: tuple[Initialized, ...], layer: Layer) -> bool:
    return any(write.meant_for(context, layer) for write in made)


def _goes_deeper(loop: ast.For | ast.AsyncFor, element: str) -> bool:
    """Whether the body hands the module on, or looks into it."""
    for statement in loop.body:
        for node in ast.walk(statement):
            match node:
                case ast.For(iter=iterable):
                    if any(isinstance(each, ast.Name) and each.id == element for each in ast.walk(iterable)):
                        return True
                case ast.Call(func=function, args=args):
                    given = any(isinstance(arg, ast.Name) and arg.id == element for arg in args)
                    called = isinstance(function, ast.Attribute) and dotted(function.value) == element
                    if (given and dotted(function) not in INSPECTS) or called:
                        return True
                case _:
                    pass
    return False


def _initialized_otherwise(context: Context, loop: ast.For | ast.AsyncFor | None) -> bool:
    """Whether a function walks over all of a model, or initializes something else than the loop does."""
    inside = {id(node) for node in ast.walk(loop)} if loop is not None else set()
    for call in context.calls():
        if id(call) in inside or not isinstance(call.func, ast.Attribute):
            continue
        around = context.snippet.parents.get(call)
        if isinstance(around, ast.Call) and (context.canonical(around.func) or "").startswith("torch.optim."):
            continue
        if call.func.attr in REACHES_ALL or (call.func.attr.endswith("_") and not call.func.attr.startswith("_")):
            return True
    return any(isinstance(node, ast.For) and node is not loop and own_attributes(node.iter) for node in context.walk())
