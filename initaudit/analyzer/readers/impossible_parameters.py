"""Parameters that are made of numbers or of sizes, and not of a tensor."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.impossible_calls import RAISES
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.iteration import last_name
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.subjects.initializers import ImpossibleCall

MAKER = "torch.nn.Parameter"


@reads(ImpossibleCall, scope=Context, words="Parameter(")
def impossible_parameters(context: Context) -> Iterator[ImpossibleCall]:
    """``nn.Parameter(0.5)`` and ``nn.Parameter(4, 4)``: a tensor is wanted, and then ``requires_grad``."""
    refused = {id(call): why for call in context.calls() if (why := _refused(context, call))}
    if not refused or any(last_name(call.func) in RAISES for call in context.calls()):
        return
    for step in Meanings(context).steps():
        for call in step.calls() if not step.guarded else ():
            if id(call) in refused:
                yield ImpossibleCall(place=context.snippet.place(call), called="Parameter", why=refused[id(call)])


def _refused(context: Context, call: ast.Call) -> str:
    if last_name(call.func) != "Parameter" or context.canonical(call.func) != MAKER:
        return ""
    if any(isinstance(each, ast.Starred) for each in call.args):
        return ""
    if len(call.args) > 2:
        return f"`nn.Parameter` takes a tensor and `requires_grad`, and is given {len(call.args)} values"
    data = call.args[0] if call.args else next((each.value for each in call.keywords if each.arg == "data"), None)
    kind = _is_no_tensor(data)
    return f"`nn.Parameter` takes a tensor, and is given {kind}" if kind else ""


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
