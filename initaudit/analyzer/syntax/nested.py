"""Loops over children whose targets are further down."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from initaudit.analyzer.source.snippets import dotted
from initaudit.analyzer.syntax.context import Context, own_attribute, own_attributes
from initaudit.analyzer.syntax.structure import Attribute, Layer, constructed
from initaudit.analyzer.syntax.walks import INSPECTS, Initialized, Walk, is_container, writes

REACHES_ALL = {"modules", "named_modules", "parameters", "named_parameters", "apply"}


@dataclass(frozen=True, slots=True)
class Missed:
    """Classes of layers that a loop initializes, and the attributes in which all of them are."""

    kinds: tuple[str, ...]
    attributes: tuple[str, ...]


def missed(context: Context, loop: ast.For | ast.AsyncFor, element: str) -> Missed | None:
    """The layers that a loop over ``children()`` is meant for and does not come to, when it comes to none at all."""
    cls = context.cls
    if not isinstance(loop.iter, ast.Call) or not isinstance(loop.iter.func, ast.Attribute):
        return None
    model = loop.iter.func.value
    walk = Walk(context, element, loop.body, writes(context, loop.body, element))
    kinds = walk.kinds
    if cls is None or not kinds or any(map(is_container, kinds)) or any(not write.kinds for write in walk.writes):
        return None
    if _goes_deeper(loop, element) or _initialized_otherwise(context, loop):
        return None
    held, depth = _held(constructed(context.project, cls), model)
    nested = {one.name: [each for each in one.layers if _meant(context, walk.writes, each)] for one in held}
    if any(not one.complete for one in held) or any(each.depth <= depth for own in nested.values() for each in own):
        return None
    names = tuple(name for name, layers in nested.items() if layers)
    return Missed(tuple(dict.fromkeys(each.kind for own in nested.values() for each in own)), names) if names else None


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


def _initialized_otherwise(context: Context, loop: ast.For | ast.AsyncFor) -> bool:
    """Whether the class walks over all of itself, or initializes something else in this function."""
    assert context.cls is not None
    inside = {id(node) for node in ast.walk(loop)}
    for call in context.calls():
        if id(call) in inside or not isinstance(call.func, ast.Attribute):
            continue
        if call.func.attr in REACHES_ALL or (call.func.attr.endswith("_") and not call.func.attr.startswith("_")):
            return True
    return any(isinstance(node, ast.For) and node is not loop and own_attributes(node.iter) for node in context.walk())
