"""Whether an expression is surely a whole number, and no size of several dimensions."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.source.snippets import FunctionNode, defaults, nodes, parameters
from initaudit.analyzer.syntax.context import Context


def is_whole_number(context: Context, node: ast.expr) -> bool:
    """Whether an expression in a function can only be a number: of its form, by an annotation, or as a layer's size."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, int) and not isinstance(value, bool)
        case ast.BinOp(op=ast.FloorDiv() | ast.Sub()):
            return True
        case ast.BinOp(left=left, right=right):
            return is_whole_number(context, left) and is_whole_number(context, right)
        case ast.Call(func=ast.Name(id="int" | "len")):
            return True
        case ast.Name(id=name) if context.function is not None:
            return _is_number(context, context.function, name)
    return False


def _is_number(context: Context, function: FunctionNode, name: str) -> bool:
    """Whether a parameter of a function is a number."""
    given = defaults(function.args).get(name)
    if isinstance(given, ast.Constant) and type(given.value) is int:
        return True
    for param in parameters(function):
        if param.arg == name and isinstance(param.annotation, ast.Name) and param.annotation.id == "int":
            return True
    names = {param.arg for param in parameters(function)}
    return name in names and any(isinstance(size, ast.Name) and size.id == name for size in _sizes(context))


def _sizes(context: Context) -> Iterator[ast.expr]:
    """Yield what layers of torch are given as their numbers of inputs and outputs."""
    for call in context.calls():
        last = (context.canonical(call.func) or "").removeprefix("torch.nn.")
        if last not in torch_api.SIZES or last in torch_api.NORMALIZATIONS:
            continue
        for size in call.args[: torch_api.SIZES[last]]:
            yield from (size,) if isinstance(size, ast.Name) else ()
            if isinstance(size, ast.BinOp):
                yield from (each for each in nodes(size) if isinstance(each, ast.Name))
