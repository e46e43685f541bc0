"""Statements that make a new tensor for a parameter, and drop it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.snippets import dotted
from initaudit.analyzer.syntax.context import Context, Statement, makes_parameter, own_attribute
from initaudit.subjects.lost_writes import DroppedTensor

OUT_OF_PLACE = {
    "clamp", "clip", "mul", "div", "add", "sub", "neg", "abs", "exp", "sqrt", "pow", "masked_fill", "index_fill",
    "fill", "copy", "normal", "uniform", "zero", "multiply", "divide",
}  # fmt: skip
FILLS = {"full": "fill_({0})", "zeros": "zero_()", "ones": "fill_(1.0)", "randn": "normal_()", "rand": "uniform_()"}
MAKERS = " ".join(
    f"{name}(" for name in sorted({each.rpartition(".")[2] for each in torch_api.NEW_TENSOR_FACTORIES} | OUT_OF_PLACE)
)


@reads(DroppedTensor, scope=Statement, words=MAKERS)
def dropped_tensors(statement: Statement) -> Iterator[DroppedTensor]:
    """New tensors that a statement drops, unless it tries whether that works."""
    if isinstance(statement.node, ast.Expr) and isinstance(statement.node.value, ast.Call) and not statement.guarded:
        fact = _dropped(statement.context, statement.node.value, statement.parameters)
        if fact is not None:
            yield fact


def _dropped(context: Context, call: ast.Call, parameters: Sequence[str]) -> DroppedTensor | None:
    """A tensor that a statement makes for a parameter and drops. ``parameters`` are loop variables over parameters."""
    if any(keyword.arg == "out" for keyword in call.keywords):
        return None
    name = context.canonical(call.func)
    if name in torch_api.NEW_TENSOR_FACTORIES:
        target = _imitated(context, call, parameters)
        return None if target is None else _fact(context, call, name, target, _fill(context, name, call, target))
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in OUT_OF_PLACE:
        return None
    target = call.func.value
    if isinstance(target, ast.Attribute) and target.attr == "data":
        target = target.value
    if not _is_parameter(context, target, parameters):
        return None
    return _fact(context, call, f"Tensor.{call.func.attr}", target, _underscored(context, call, call.func.attr, target))


def _fact(context: Context, call: ast.Call, name: str, target: ast.expr, inplace: str | None) -> DroppedTensor:
    own = own_attribute(target)
    return DroppedTensor(
        place=context.snippet.place(call),
        call=name,
        parameter=own,
        model=context.cls.qualname if own is not None and context.cls is not None else None,
        target=context.snippet.source(target),
        inplace=inplace,
    )


def _imitated(context: Context, call: ast.Call, parameters: Sequence[str]) -> ast.expr | None:
    """The parameter whose size (or self, for ``*_like``) a factory is given."""
    for value in (*call.args, *(keyword.value for keyword in call.keywords)):
        imitated = value
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "size":
            imitated = value.func.value
        elif isinstance(value, ast.Attribute) and value.attr in ("shape", "data"):
            imitated = value.value
        elif not dotted(call.func).endswith("_like"):
            continue
        if _is_parameter(context, imitated, parameters):
            return imitated
    return None


def _is_parameter(context: Context, node: ast.expr, parameters: Sequence[str]) -> bool:
    """Whether an expression is known to be a parameter: a loop variable, ``layer.weight``, or an attribute made one."""
    if isinstance(node, ast.Name):
        return node.id in parameters
    if isinstance(node, ast.Attribute) and node.attr in ("weight", "bias"):
        return True
    own = own_attribute(node)
    return own is not None and context.cls is not None and makes_parameter(context.project, context.cls, own)


def _fill(context: Context, name: str, call: ast.Call, target: ast.expr) -> str | None:
    """The in-place form of a factory."""
    form = FILLS.get(name.removeprefix("torch.").removesuffix("_like"))
    if form is None or ("{0}" in form and len(call.args) < 2):
        return None
    value = context.snippet.source(call.args[1]) if "{0}" in form else ""
    return f"{context.snippet.source(target)}.data.{form.format(value)}"


def _underscored(context: Context, call: ast.Call, name: str, target: ast.expr) -> str | None:
    """The in-place form of a method, on the data of a parameter: autograd does not let the parameter be written."""
    function, whole = context.snippet.source(call.func), context.snippet.source(call)
    if not whole.startswith(function):
        return None
    return f"{context.snippet.source(target)}.data.{name}_{whole[len(function) :]}"
