"""Tensors that are assigned to the name of a parameter, which torch refuses."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.project import External
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meaning import Names, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.results import OUT_OF_PLACE
from initaudit.subjects.lost_writes import AssignedTensor

LAYERS = {f"torch.nn.{name}" for name in (*torch_api.LINEAR_LIKE, *torch_api.NORMALIZATIONS, "Embedding")}


@reads(AssignedTensor, scope=Context, words="weight= bias=")
def assigned_tensors(context: Context) -> Iterator[AssignedTensor]:
    """``layer.weight = torch.randn(...)`` where the layer is one of torch's."""
    meanings = Meanings(context)
    for step in meanings.steps():
        match step.statement:
            case ast.Assign(
                targets=[ast.Attribute(value=owner, attr="weight" | "bias" as name) as target], value=value
            ):
                pass
            case _:
                continue
        layer = meanings.meaning(owner, step.names)
        if layer is None or layer.what is not What.MODULE or not layer.kinds or not set(layer.kinds) <= LAYERS:
            continue
        if not step.guarded and _is_plain_tensor(context, meanings, value, step.names):
            yield AssignedTensor(
                place=context.snippet.place(step.statement),
                target=context.snippet.source(target),
                value=context.snippet.source(value),
                name=name,
            )


def _is_plain_tensor(context: Context, meanings: Meanings, value: ast.expr, names: Names) -> bool:
    """Whether an expression is surely a tensor and no parameter."""
    match value:
        case ast.BinOp(left=left, right=right):
            sides = (left, right)
            return any(
                _is_plain_tensor(context, meanings, side, names) or _is_parameter(meanings, side, names)
                for side in sides
            )
        case ast.Call(func=function, args=args):
            found = context.resolve(function)
            if isinstance(found, External):
                if found.name.startswith(torch_api.INIT) and args:
                    return _is_plain_tensor(context, meanings, args[0], names)
                last = found.name.removeprefix("torch.")
                return found.name in torch_api.NEW_TENSOR_FACTORIES or (
                    last in OUT_OF_PLACE and found.name.startswith("torch.")
                )
            if isinstance(function, ast.Attribute) and found is None:
                inner = function.value
                if function.attr in OUT_OF_PLACE | {
                    "clone",
                    "detach",
                    "t",
                    "float",
                    "double",
                    "to",
                    "normal_",
                    "uniform_",
                }:
                    if _is_plain_tensor(context, meanings, inner, names):
                        return True
                    return function.attr in OUT_OF_PLACE | {"clone", "detach", "t"} and _is_parameter(
                        meanings, inner, names
                    )
        case ast.Attribute(value=inner, attr="data"):
            return _is_parameter(meanings, inner, names)
    return False


def _is_parameter(meanings: Meanings, node: ast.expr, names: Names) -> bool:
    found = meanings.meaning(node, names)
    return found is not None and found.what is What.PARAMETER
