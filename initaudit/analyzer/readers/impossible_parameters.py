"""Parameters that are made of numbers or of sizes, and not of a tensor, or of integers, which cannot be trained."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.impossible_calls import expects_errors
from initaudit.analyzer.source.snippets import argument, last_name
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.integers import holds_integers
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.subjects.initializers import ImpossibleCall

MAKER = "torch.nn.Parameter"


@reads(ImpossibleCall, scope=Context, words="Parameter(")
def impossible_parameters(context: Context) -> Iterator[ImpossibleCall]:
    """``nn.Parameter(0.5)``, ``nn.Parameter(4, 4)`` and ``nn.Parameter(torch.full((n,), 0))``.

    A tensor of real or complex numbers is wanted, and then ``requires_grad``.
    """
    refused = {id(call): why for call in context.calls() if (why := _refused(context, call))}
    for _, call in Meanings(context).unguarded() if refused and not expects_errors(context) else ():
        if id(call) in refused:
            yield ImpossibleCall(place=context.snippet.place(call), called="Parameter", why=refused[id(call)])


def _refused(context: Context, call: ast.Call) -> str:
    if last_name(call.func) != "Parameter" or context.canonical(call.func) != MAKER:
        return ""
    if any(isinstance(each, ast.Starred) for each in call.args):
        return ""
    if len(call.args) > 2:
        return f"`nn.Parameter` takes a tensor and `requires_grad`, and is given {len(call.args)} values"
    data = argument(call, 0, "data")
    kind = _is_no_tensor(data)
    if kind or data is None:
        return f"`nn.Parameter` takes a tensor, and is given {kind}" if kind else ""
    asked = call.args[1] if len(call.args) > 1 else next((e.value for e in call.keywords if e.arg != "data"), None)
    if not (asked is None or (isinstance(asked, ast.Constant) and asked.value is True)):
        return ""
    source = context.snippet.source(data)
    return f"`{source}` holds integers, which cannot require a gradient" if holds_integers(context, data) else ""


def _is_no_tensor(node: ast.expr | None) -> str:
    """What a literal is that stands where a tensor is wanted."""
    match node:
        case ast.Constant(value=bool() | int() | float()) | ast.UnaryOp(operand=ast.Constant()):
            return "a number"
        case ast.List() | ast.ListComp():
            return "a list"
        case ast.Tuple():
            return "a tuple"
    return ""
