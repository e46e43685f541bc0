"""Variables that are called fan_in or fan_out and hold a size of a layer's weight."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import nodes
from initaudit.analyzer.syntax.callers import given_to
from initaudit.analyzer.syntax.context import Context, first_parameter
from initaudit.analyzer.syntax.meaning import Meaning, Names, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.subjects.weights import NamedFan

FANS = ("fan_in", "fan_out")
LAYERS = {f"torch.nn.{name}" for name in torch_api.LINEAR_LIKE if "Transpose" not in name and name != "Bilinear"}
"""Layers whose weight has layout (out, in, ...)."""


@reads(NamedFan, scope=Context, words="fan_in fan_out", nearby="weight")
def named_fans(context: Context) -> Iterator[NamedFan]:
    """Fans that are read off the weight of a layer, known by its type or by what the function is given."""
    meanings = Meanings(context)
    for step in meanings.steps():
        match step.statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in FANS:
                size = _size(value)
            case _:
                continue
        if size is None or not _is_of_layer(context, meanings, size[0], step.names):
            continue
        axis, at = size[1:]
        source, constant = context.snippet.source(value), context.snippet.source(at)
        other = source[: source.rindex(constant)] + str(1 - axis) + source[source.rindex(constant) + len(constant) :]
        bound = {node.id for each in context.walk() for node in nodes(each) if isinstance(node, ast.Name)}
        yield NamedFan(
            place=context.snippet.place(step.statement),
            name=name,
            source=source,
            axis=axis,
            other=other,
            both=bound.issuperset(FANS),
        )


def _size(node: ast.expr) -> tuple[ast.expr, int, ast.expr] | None:
    """The tensor of which an expression is the first or second size, which of the two, and where it says that."""
    match node:
        case (
            ast.Subscript(value=ast.Attribute(value=tensor, attr="shape"), slice=ast.Constant(value=int(axis)) as at)
            | ast.Subscript(
                value=ast.Call(func=ast.Attribute(value=tensor, attr="size"), args=[], keywords=[]),
                slice=ast.Constant(value=int(axis)) as at,
            )
            | ast.Call(
                func=ast.Attribute(value=tensor, attr="size"), args=[ast.Constant(value=int(axis)) as at], keywords=[]
            )
        ):
            return (tensor, axis, at) if axis in (0, 1) else None
    return None


def _is_of_layer(context: Context, meanings: Meanings, tensor: ast.expr, names: Names) -> bool:
    meaning = meanings.meaning(tensor, names)
    if meaning is None or meaning.what is not What.PARAMETER or meaning.part or meaning.reshaped:
        return False
    if meaning.attribute != "weight":
        return False
    if meaning.kinds:
        return LAYERS.issuperset(meaning.kinds)
    owner = meaning.source.rpartition(".")[0]
    given = [each.meaning for each in given_to(context, by_apply=False)] if owner == first_parameter(context) else []
    return bool(given) and all(map(_is_layer, given))


def _is_layer(meaning: Meaning | None) -> bool:
    if meaning is None or meaning.what is not What.MODULE:
        return False
    return bool(meaning.kinds) and LAYERS.issuperset(meaning.kinds)
