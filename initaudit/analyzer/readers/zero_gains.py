"""Code that sets the gains of all normalizations of a model to zero, where no path leads around them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import last_name
from initaudit.analyzer.syntax.context import Context, methods
from initaudit.analyzer.syntax.meaning import What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.reached import written_layers
from initaudit.analyzer.syntax.structure import CONTAINERS, Layer, without
from initaudit.analyzer.syntax.walks import written
from initaudit.finding import Observer
from initaudit.subjects.layers import GainDraw

NORMS = {f"torch.nn.{name}" for name in torch_api.NORMALIZATIONS}
IN_A_ROW = {
    f"torch.nn.{name}"
    for name in torch_api.LINEAR_LIKE
    | torch_api.NORMALIZATIONS
    | torch_api.ACTIVATION_MODULES
    | torch_api.TRANSPARENT
    | {"Embedding"}
}
"""Layers of torch that give on nothing but what they make of their input; pools and lazy layers are others of these."""
JOINS = {"add", "add_", "cat", "concat", "concatenate", "hstack", "stack", "sum", "lerp", "where", "addcmul", "baddbmm"}


@reads(GainDraw, scope=Context, words="zeros_( zero_( fill_( constant_(", nearby="Norm")
def zero_gains(context: Context) -> Iterator[GainDraw]:
    """Zeros for the weight of every normalization that a walk over a model of layers in a row comes to."""
    meanings = Meanings(context)
    for step in meanings.steps():
        call = step.statement.value if isinstance(step.statement, ast.Expr) else None
        target = written(context, call) if isinstance(call, ast.Call) else None
        if not isinstance(call, ast.Call) or not isinstance(target, ast.Attribute) or not _is_zero(context, call):
            continue
        meaning, owner = meanings.meaning(target, step.names), meanings.meaning(target.value, step.names)
        if meaning is None or meaning.attribute != "weight" or owner is None or owner.what is not What.MODULE:
            continue
        if not owner.kinds or not set(owner.kinds) <= NORMS or not isinstance(target.value, ast.Name):
            continue
        norm = _met(context, written_layers(context, meaning, step).layers, owner.kinds)
        if norm is not None:
            yield GainDraw(
                observer=Observer.ANALYZER,
                place=context.snippet.place(call),
                layer=norm,
                parameter="weight",
                call=last_name(call.func),
                mean=0.0,
                source=context.snippet.source(call),
                zero=True,
            )


def _is_zero(context: Context, call: ast.Call) -> bool:
    """Whether what a call writes is zero: ``zeros_(w)``, ``constant_(w, 0)``, ``w.fill_(0.0)``."""
    of_init = (context.canonical(call.func) or "").startswith(torch_api.INIT)
    match last_name(call.func), call.args[of_init:]:
        case (("zeros_" | "zero_"), []):
            return True
        case (("constant_" | "fill_"), [ast.Constant(value=int() | float() as number)]):
            return number == 0
    return False


def _met(context: Context, layers: tuple[Layer, ...], kinds: tuple[str, ...]) -> str | None:
    """The class of a normalization among the layers of a model, all of which stand in a row."""
    if not all(_in_a_row(context, layer) for layer in layers):
        return None
    norms = (
        layer.kind
        for layer in layers
        if layer.kind in kinds and layer.call is not None and without(layer.kind, layer.call, "weight") is False
    )
    return next(norms, None)


def _in_a_row(context: Context, layer: Layer) -> bool:
    """Whether a layer of torch has one path, or the forward of a class joins nothing."""
    if layer.cls is None:
        pools = "Pool" in layer.kind or layer.kind.startswith("torch.nn.Lazy")
        return pools or layer.kind in IN_A_ROW or layer.kind in CONTAINERS
    forward = next(
        (each for each in methods(context.project, layer.cls) if each.function and each.function.name == "forward"),
        None,
    )
    return forward is not None and not any(
        (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Add))
        or (isinstance(node, ast.Call) and last_name(node.func) in JOINS)
        for node in forward.walk()
    )
