"""Variables that are called fan_in or fan_out and hold a size of a layer's weight."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from initaudit.analyzer import torch_api
from initaudit.analyzer.programs.lookups import importing
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import defaults, last_name, nodes
from initaudit.analyzer.syntax.callers import given_to
from initaudit.analyzer.syntax.context import Context, first_parameter
from initaudit.analyzer.syntax.meaning import Meaning, Names, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.scopes import scopes_holding
from initaudit.subjects.weights import NamedFan

FANS = {"fan_in": "fan_in", "fanin": "fan_in", "fan_out": "fan_out", "fanout": "fan_out"}
LAYERS = {f"torch.nn.{name}" for name in torch_api.LINEAR_LIKE if "Transpose" not in name and name != "Bilinear"}
"""Layers whose weight has layout (out, in, ...)."""


@reads(NamedFan, scope=Context, words="fan_in fan_out fanin fanout")
def named_fans(context: Context) -> Iterator[NamedFan]:
    """Fans that are read off the weight of a layer, known by its type or by what the function is given."""
    meanings = Meanings(context)
    for step in meanings.steps():
        match step.statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in FANS:
                value = value.values[-1] if isinstance(value, ast.BoolOp) and isinstance(value.op, ast.Or) else value
            case _:
                continue
        size = _size(value)
        if size is None or not _is_of_layer(context, meanings, size[0], step.names):
            continue
        axis, at = size[1:]
        source, constant = context.snippet.source(value), context.snippet.source(at)
        other = source[: source.rindex(constant)] + str(1 - axis) + source[source.rindex(constant) + len(constant) :]
        bound = {node.id for each in context.walk() for node in nodes(each) if isinstance(node, ast.Name)}
        yield NamedFan(
            place=context.snippet.place(step.statement),
            value=context.snippet.place(value),
            name=FANS[name],
            source=source,
            axis=axis,
            other=other,
            both=len({FANS[each] for each in bound & FANS.keys()}) == 2,
        )


def _size(node: ast.expr) -> tuple[ast.expr, int, ast.expr] | None:
    """The tensor, or its sizes, of which an expression is one of the first two, which, and where it says that."""
    match node:
        case ast.Subscript(value=sizes, slice=ast.Constant(value=int(axis)) as at):
            tensor = _sized(sizes) or sizes
        case ast.Call(
            func=ast.Attribute(value=tensor, attr="size"), args=[ast.Constant(value=int(axis)) as at], keywords=[]
        ):
            pass
        case _:
            return None
    return (tensor, axis, at) if axis in (0, 1) else None


def _sized(sizes: ast.expr) -> ast.expr | None:
    """The tensor whose sizes an expression is: ``w.shape``, ``w.size()``."""
    match sizes:
        case ast.Attribute(value=tensor, attr="shape"):
            return tensor
        case ast.Call(func=ast.Attribute(value=tensor, attr="size"), args=[], keywords=[]):
            return tensor
    return None


def _is_of_layer(context: Context, meanings: Meanings, tensor: ast.expr, names: Names) -> bool:
    if isinstance(tensor, ast.Name):
        given = list(map(_sized, context.assigned(tensor.id)))
        if len(given) == 1 and isinstance(given[0], ast.Name):
            tensor = given[0]
        if tensor.id == first_parameter(context) and len(given) <= 1:
            return _is_given_linear_weight(context)
    meaning = meanings.meaning(tensor, names)
    if meaning is None or meaning.what is not What.PARAMETER or meaning.part or meaning.reshaped:
        return False
    if meaning.attribute != "weight":
        return False
    if meaning.kinds:
        return LAYERS.issuperset(meaning.kinds)
    owner = meaning.source.rpartition(".")[0]
    given_layers = (
        [each.meaning for each in given_to(context, by_apply=False)] if owner == first_parameter(context) else []
    )
    return bool(given_layers) and all(map(_is_layer, given_layers))


def _is_layer(meaning: Meaning | None) -> bool:
    if meaning is None or meaning.what is not What.MODULE:
        return False
    return bool(meaning.kinds) and LAYERS.issuperset(meaning.kinds)


def _is_given_linear_weight(context: Context) -> bool:
    """Whether some call of a function, or of an argument whose default it is, gives it the weight of ``nn.Linear``."""
    definition = context.definition
    if definition is None or definition.owner is not None:
        return False
    for module in sorted({context.module, *importing(context.project, context.module)}, key=lambda each: each.filename):
        for start, end, scope in scopes_holding(module, ((definition.name,),)):
            snippet = module.snippet(start, end)
            if snippet is None or (module is context.module and scope == definition):
                continue
            caller = replace(context, module=module, definition=scope, snippet=snippet)
            given = defaults(caller.function.args) if caller.function is not None else {}
            called = {definition.name, *(name for name, value in given.items() if last_name(value) == definition.name)}
            meanings = Meanings(caller)
            for step in meanings.steps():
                for call in step.calls():
                    if last_name(call.func) in called and call.args:
                        weight = meanings.meaning(_sized(call.args[0]) or call.args[0], step.names)
                        if weight is not None and weight.attribute == "weight" and weight.kinds == ("torch.nn.Linear",):
                            return True
    return False
