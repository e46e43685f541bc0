"""Writes of parameters that their layers are made without: the bias of ``nn.Conv2d(3, 8, 3, bias=False)``."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.usage import OBJECT
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import dotted, nodes
from initaudit.analyzer.syntax.callers import given_to
from initaudit.analyzer.syntax.context import Context, first_parameter, own_attribute
from initaudit.analyzer.syntax.meaning import Meaning, Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.narrowing import class_name_of, type_asked_for
from initaudit.analyzer.syntax.structure import Layer, below, constructed, without
from initaudit.analyzer.syntax.walks import written
from initaudit.subjects.initializers import AbsentParameter

LAYERS = torch_api.LINEAR_LIKE | torch_api.NORMALIZATIONS


NEARBY = "bias= affine= 'False' InstanceNorm1d( InstanceNorm2d( InstanceNorm3d("


@reads(AbsentParameter, scope=Context, words=("_( .bias= .weight= .data=", ".bias .weight"), nearby=NEARBY)
def absent_parameters(context: Context) -> Iterator[AbsentParameter]:
    """``self.conv.bias.data.fill_(0)`` of a layer that always is made without a bias."""
    meanings = Meanings(context)
    for step in meanings.steps():
        for target in _written(context, step.statement):
            layer = target.value
            if step.guarded or any(_asks(test, target.attr) for test, _ in step.conditions):
                continue
            meaning = meanings.meaning(layer, step.names)
            within = list(step.rounds[-1:]) if step.rounds else [context.function]
            chosen = any(_chooses(test, layer, step, within) for test, _ in step.conditions)
            made = None if chosen else _met(context, meaning, target.attr)
            made = made or _made(context, meaning, layer)
            made = made or (None if chosen else _met_by_callers(context, meaning, target))
            if made is not None and target.attr in _absent(context, made) and not _given_later(context, target):
                yield AbsentParameter(
                    place=context.snippet.place(target), target=context.snippet.source(target), made=ast.unparse(made)
                )


def _written(context: Context, statement: ast.stmt) -> Iterator[ast.Attribute]:
    """The parameters of layers that a statement writes in place, or whose data it replaces."""
    match statement:
        case ast.Expr(value=ast.Call() as call):
            target = written(context, call)
        case ast.Assign(targets=[ast.Attribute(attr="data", value=target)]):
            pass
        case _:
            return
    if isinstance(target, ast.Attribute) and target.attr in ("weight", "bias"):
        yield target


def _asks(test: ast.expr, name: str) -> bool:
    """Whether a condition may be about a parameter, or about whether the layer has one.

    ``hasattr(m, "bias")`` holds for a bias that is None.
    """
    passed = [each.func for each in ast.walk(test) if isinstance(each, ast.Call) and _is_passed_by_none(each, name)]
    return any(
        (isinstance(node, ast.Attribute) and node.attr in (name, *torch_api.SWITCHES))
        or (
            isinstance(node, ast.Name) and node.id in ("hasattr", "getattr", *torch_api.SWITCHES) and node not in passed
        )
        for node in ast.walk(test)
    )


def _chooses(test: ast.expr, layer: ast.expr, step: Step, within: Sequence[ast.AST | None]) -> bool:
    """Whether a condition may tell apart layers of one class, by their names, their sizes or what a caller says.

    ``within`` are the loop or the function that get one layer after the other: what they bind may differ between these.
    """
    bound = {
        node.arg if isinstance(node, ast.arg) else node.id
        for around in within
        for node in (nodes(around) if around is not None else ())
        if isinstance(node, ast.arg) or (isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load))
    } - {"self"}
    of_class = {
        inner
        for node in nodes(test)
        if isinstance(node, ast.expr) and _asks_for_class(node, dotted(layer))
        for inner in nodes(node)
    }
    return any(
        isinstance(node, ast.Name)
        and node.id in bound
        and node not in of_class
        and ((known := step.names.get(node.id)) is None or known.what is not What.CLASS_NAME)
        for node in nodes(test)
    )


def _asks_for_class(node: ast.expr, layer: str) -> bool:
    """Whether an expression is about the class of a layer, or about what every object of it has."""
    match node:
        case ast.Call(func=ast.Name(id="hasattr"), args=[subject, ast.Constant()]):
            return dotted(subject) == layer
    return layer in (type_asked_for(node)[0], class_name_of(node))


def _is_passed_by_none(call: ast.Call, name: str) -> bool:
    """Whether a call asks whether a layer has an attribute of this name, whatever it holds."""
    match call:
        case ast.Call(func=ast.Name(id="hasattr"), args=[_, ast.Constant(value=asked)]):
            return bool(asked == name)
    return False


def _met(context: Context, meaning: Meaning | None, name: str) -> ast.Call | None:
    """The call that makes a layer without a parameter, where a walk over the object meets it by its kind."""
    if meaning is None or meaning.source != "self.modules()" or context.cls is None:
        return None
    for held in constructed(context.project, context.cls).values():
        one = held.layers[0] if held.complete and not held.plain and len(held.layers) == 1 else None
        made = one.call if one is not None and one.kind in meaning.kinds else None
        if made is not None and name in _absent(context, made):
            return made
    return None


def _met_by_callers(context: Context, meaning: Meaning | None, target: ast.Attribute) -> ast.Call | None:
    """The call that makes a layer without a parameter, where a caller or an ``apply`` gives it to the function."""
    if dotted(target.value) != first_parameter(context):
        return None
    kinds = meaning.kinds if meaning is not None else ()
    for caller, _, given, _ in given_to(context, by_apply=False):
        fits = not kinds or (given is not None and set(given.kinds) <= set(kinds))
        made = _met(caller, given, target.attr) if fits else None
        if made is not None:
            return made
    for caller, owner, _, _ in given_to(context, by_apply=True) if kinds else ():
        for layer in below(context.project, _layers(caller, owner), set(), registered=True):
            made = layer.call if layer.kind in kinds else None
            if made is not None and layer.context is not None and target.attr in _absent(layer.context, made):
                return made
    return None


def _layers(context: Context, owner: ast.expr) -> list[Layer]:
    """The layers that the object surely holds, or an attribute of it; a loop may go over some that it lists."""
    if context.cls is None:
        return []
    names = set(map(own_attribute, _listed(context, owner)))
    held = constructed(context.project, context.cls).values()
    found = [
        each for each in held if each.complete and not each.plain and (each.name in names or dotted(owner) == "self")
    ]
    return [layer for each in found for layer in each.layers]


def _listed(context: Context, owner: ast.expr) -> list[ast.expr]:
    """What a name stands for in turn: the items of a list that a loop goes over, or the keys of a dictionary."""
    for node in context.walk() if isinstance(owner, ast.Name) else ():
        match node:
            case ast.For(target=ast.Name(id=name), iter=ast.List(elts=items) | ast.Tuple(elts=items)) if name == dotted(
                owner
            ):
                return items
            case ast.For(
                target=ast.Tuple(elts=[ast.Name(id=name), _]),
                iter=ast.Call(func=ast.Attribute(value=ast.Name(id=table), attr="items")),
            ) if name == dotted(owner):
                given = [
                    each.value
                    for each in context.walk()
                    if isinstance(each, ast.Assign) and [dotted(one) for one in each.targets] == [table]
                ]
                keys = given[0].keys if len(given) == 1 and isinstance(given[0], ast.Dict) else []
                return [key for key in keys if key is not None]
            case _:
                pass
    return [owner]


def _made(context: Context, meaning: Meaning | None, layer: ast.expr) -> ast.Call | None:
    """The only call that makes a layer, of an attribute of the object or of a variable."""
    name = own_attribute(layer)
    if name is not None and context.cls is not None:
        held = constructed(context.project, context.cls).get(name)
        one = held.layers[0] if held is not None and held.complete and len(held.layers) == 1 else None
        known = one is not None and one.depth == 0 and one.derived is None and not _made_anew(context, name)
        return one.call if one is not None and known else None
    if not isinstance(layer, ast.Name) or meaning is None or meaning.what is not What.MODULE or meaning.element:
        return None
    call = ast.parse(meaning.source, mode="eval").body
    return call if isinstance(call, ast.Call) else None


def _made_anew(context: Context, name: str) -> bool:
    """Whether a method other than the constructor gives the object another layer of this name."""
    cls = context.cls
    return cls is not None and any(
        f"self.{name}" in cls.module.usage(member).stored
        for member in cls.definition.members.values()
        if not member.is_class and member.name != "__init__"
    )


def _absent(context: Context, made: ast.Call) -> set[str]:
    """The parameters that a layer of torch is made without."""
    kind = (context.canonical(made.func) or "").removeprefix("torch.nn.")
    return {name for name in ("weight", "bias") if kind in LAYERS and without(kind, made, name)}


def _given_later(context: Context, target: ast.Attribute) -> bool:
    """Whether the file gives the layer such a parameter itself; a variable may stand for any layer."""
    layer = dotted(target.value)
    words = (target.attr, "setattr", "register_parameter")
    owners = {owner for word in words for used in context.module.usages(word) for owner in used.gives(target.attr)}
    return any(
        owner.rpartition(".")[2] == layer.rpartition(".")[2] or "." not in owner or "." not in layer
        for owner in owners - {OBJECT}
    )
