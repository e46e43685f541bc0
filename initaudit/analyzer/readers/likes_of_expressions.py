"""``torch.ones_like(a * b)`` as a value of a parameter: what the expression computes is lost."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import defaults, nodes, parameters
from initaudit.analyzer.syntax.context import Context
from initaudit.subjects.lost_writes import LikeOfExpression

FACTORIES = {f"torch.{name}_like" for name in ("zeros", "ones", "rand", "randn", "full", "empty", "randint")}
REGISTERING = {"torch.nn.Parameter", "torch.nn.Buffer", "torch.nn.parameter.Parameter"}


@reads(LikeOfExpression, scope=Context, words="_like(", nearby="Parameter Buffer register_ copy_ data")
def likes_of_expressions(context: Context) -> Iterator[LikeOfExpression]:
    """Calls of ``*_like`` with arithmetic by a number, in what a parameter or buffer is made of or given."""
    for node in context.walk():
        for value in _values(context, node):
            for call in nodes(value):
                if not isinstance(call, ast.Call) or context.canonical(call.func) not in FACTORIES or not call.args:
                    continue
                if isinstance(call.args[0], ast.BinOp) and _by_a_number(context, call.args[0]):
                    yield LikeOfExpression(
                        place=context.snippet.place(call),
                        source=context.snippet.source(call),
                        factory=context.canonical(call.func) or "",
                    )


def _values(context: Context, node: ast.AST) -> Iterator[ast.expr]:
    """What a parameter or a buffer is made of, or given."""
    match node:
        case ast.Call(func=ast.Attribute(attr="register_buffer" | "register_parameter"), args=[_, value, *_]):
            yield value
        case ast.Call(func=ast.Attribute(attr="copy_"), args=[value, *_]):
            yield value
        case ast.Call(args=[value, *_]) if context.canonical(node.func) in REGISTERING:
            yield value
        case ast.Assign(targets=[ast.Attribute(attr="data")], value=value):
            yield value
        case _:
            pass


def _by_a_number(context: Context, node: ast.expr) -> bool:
    """Whether a sum or product has a factor or term that changes no shape."""
    if not isinstance(node, ast.BinOp) or isinstance(node.op, ast.MatMult):
        return False
    return any(_is_number(context, side) or _by_a_number(context, side) for side in (node.left, node.right))


def _is_number(context: Context, node: ast.expr) -> bool:
    """Whether an expression is a number, or a parameter of the function whose default or annotation is one."""
    if isinstance(node, ast.UnaryOp):
        return _is_number(context, node.operand)
    if isinstance(node, ast.Name) and context.function is not None:
        default = defaults(context.function.args).get(node.id)
        annotated = [param.annotation for param in parameters(context.function) if param.arg == node.id]
        return any(isinstance(each, ast.Name) and each.id in ("int", "float") for each in annotated) or (
            default is not None and not isinstance(default, ast.Name) and _is_number(context, default)
        )
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)
