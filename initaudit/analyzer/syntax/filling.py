"""Functions that fill the module they are given: ``zero_module(nn.Conv2d(8, 8, 1))``."""

from __future__ import annotations

import ast

from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.source.snippets import dotted, last_name, spelled
from initaudit.analyzer.syntax.context import Context, first_parameter, function_context
from initaudit.analyzer.torch_api import INIT


def zeroes_its_argument(context: Context, call: ast.Call) -> bool:
    """Whether a call is of a function that writes zeros to the parameters, or the weight, of the module it is given."""
    found = context.resolve(call.func)
    helper = function_context(context.project, found) if isinstance(found, Defined) else None
    given = first_parameter(helper) if helper is not None else None
    if helper is None or given is None:
        return False
    returned = [node.value for node in helper.walk() if isinstance(node, ast.Return)]
    if not returned or any(each is None or dotted(each) != given for each in returned):
        return False
    walks = (node for node in helper.walk() if isinstance(node, ast.For) and isinstance(node.iter, ast.Call))
    elements = {dotted(each.target) for each in walks if spelled(each.iter) == f"{given}.parameters()"}
    return any(_zeroed(helper, each) in {f"{given}.weight", *elements} for each in helper.calls())


def _zeroed(context: Context, call: ast.Call) -> str | None:
    """The name of the tensor that a call fills with zeros."""
    tensor: ast.expr | None = call.func.value if isinstance(call.func, ast.Attribute) else None
    numbers = [*call.args, *(each.value for each in call.keywords)]
    if (context.canonical(call.func) or "").startswith(INIT) and numbers:
        tensor, *numbers = numbers
    name = last_name(call.func)
    zero = [ast.unparse(each) for each in numbers] in (["0"], ["0.0"])
    if tensor is None or not (name in ("zeros_", "zero_") or (zero and name in ("constant_", "fill_"))):
        return None
    return spelled(tensor).removesuffix(".detach()").removesuffix(".data")
