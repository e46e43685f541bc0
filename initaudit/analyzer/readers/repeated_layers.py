"""Layers that stand several times in a container, as one object."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.project import Defined, External
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.structure import LISTS
from initaudit.subjects.layers import RepeatedLayer

STATEFUL = torch_api.LINEAR_LIKE | torch_api.RESET_BY_CONSTRUCTOR.keys() | {"PReLU", "TransformerEncoderLayer"}
"""Layers of torch that have parameters."""
OWNS = re.compile(r"\bParameter\(|register_(?:buffer|parameter)\(|\bnn\.(?:" + "|".join(STATEFUL) + r")\(")
SHARED = re.compile(r"shar|tie|same|reuse", re.IGNORECASE)
"""Words of code that repeats a layer on purpose."""


@reads(RepeatedLayer, scope=Context, words="ModuleList( Sequential(")
def repeated_layers(context: Context) -> Iterator[RepeatedLayer]:
    """``nn.ModuleList([layer] * n)`` of a layer with parameters or buffers."""
    made = {
        node.targets[0].id: node.value
        for node in context.walk()
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Call)
    }
    lists = {
        node.targets[0].id: node.value
        for node in context.walk()
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for call in context.calls():
        if context.canonical(call.func) not in LISTS:
            continue
        for items, layer in [found for arg in call.args for found in _repeated(context, arg, lists)]:
            maker = made.get(layer.id) if isinstance(layer, ast.Name) else layer
            if not isinstance(maker, ast.Call) or not _is_stateful(context, maker):
                continue
            if isinstance(layer, ast.Name) and SHARED.search(_around(context, call)):
                continue
            yield RepeatedLayer(
                place=context.snippet.place(call),
                source=context.snippet.source(items),
                layer=context.snippet.source(layer),
            )


def _repeated(context: Context, items: ast.expr, lists: dict[str, ast.expr]) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The lists of one element that are multiplied in what a container is given, and that element.

    They may be spread beside others, concatenated, or bound to a name before; ``itertools.repeat`` does the same.
    """
    match items:
        case ast.Starred(value=inner):
            yield from _repeated(context, inner, lists)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            for element in elements:
                if isinstance(element, ast.Starred):
                    yield from _repeated(context, element, lists)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from _repeated(context, left, lists)
            yield from _repeated(context, right, lists)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            for side, times in ((left, right), (right, left)):
                once = isinstance(times, ast.Constant) and times.value in (0, 1)
                if isinstance(side, ast.List | ast.Tuple) and not once:
                    yield from ((items, element) for element in side.elts if not isinstance(element, ast.Starred))
        case ast.Call(func=function, args=[element, _]) if context.canonical(function) == "itertools.repeat":
            yield items, element
        case ast.Call(func=ast.Name(id="list" | "tuple"), args=[inner]):
            yield from _repeated(context, inner, lists)
        case ast.Name(id=name) if name in lists:
            others = {key: value for key, value in lists.items() if key != name}
            yield from _repeated(context, lists[name], others)
        case _:
            pass


def _is_stateful(context: Context, maker: ast.Call) -> bool:
    """Whether a call is known to make a layer with parameters or buffers."""
    found = context.resolve(maker.func)
    if isinstance(found, External):
        return found.name.startswith("torch.nn.") and found.name.removeprefix("torch.nn.") in STATEFUL
    if not isinstance(found, Defined) or not found.definition.is_class or not context.project.is_module_class(found):
        return False
    return any(
        OWNS.search(base.module.slice(base.definition)) if isinstance(base, Defined) else _plain(base.name) in STATEFUL
        for base in context.project.mro(found) or ()
    )


def _plain(name: str) -> str:
    return name.removeprefix("torch.nn.")


def _around(context: Context, node: ast.AST) -> str:
    """The lines of a statement, the comment before it and the conditions that lead to it."""
    place = context.snippet.place(node)
    tests = [
        context.snippet.source(test.test)
        for test in context.walk()
        if isinstance(test, ast.If) and any(inner is node for inner in ast.walk(test))
    ]
    return "\n".join([*context.module.lines[max(place.row - 3, 0) : place.end_row], *tests])
