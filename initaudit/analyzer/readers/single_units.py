"""Models whose layers have one unit each, as a linear regression: there are no units that stay alike."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.project import Defined
from initaudit.analyzer.readers.applications import is_alone
from initaudit.analyzer.readers.builds import largest_given
from initaudit.analyzer.syntax.context import Context, own_attribute
from initaudit.analyzer.syntax.structure import Found, Layer, constructed, held

MAX_DEPTH = 4
OUTPUTS = {"Linear": (1, "out_features"), "Bilinear": (2, "out_features")}
OF_CONVOLUTIONS = (1, "out_channels")
HOLDS_OTHERS = ("torch.nn.Transformer", "torch.nn.MultiheadAttention", "torch.nn.Lazy", "torch.nn.AdaptiveLogSoftmax")
"""Modules of torch that are, or hold, linear layers and convolutions of sizes that are not looked for."""


def has_single_units(context: Context, model: ast.expr, kinds: Collection[str]) -> bool:
    """Whether a model is known to have layers of some kinds, and each of them has one unit."""
    cls = context.cls
    if isinstance(model, ast.Name) and model.id == "self" and cls is not None:
        found = list(_of_class(context, cls, kinds, MAX_DEPTH))
    elif (name := own_attribute(model)) is not None and cls is not None:
        attribute = constructed(context.project, cls).get(name)
        layers = Found(tuple(attribute.layers), attribute.complete) if attribute is not None else Found(complete=False)
        found = list(_of_layers(context, layers, cls, kinds, MAX_DEPTH))
    elif isinstance(model, ast.Name):
        found = list(_of_layers(context, held(context, model.id), None, kinds, MAX_DEPTH))
    else:
        return False
    return bool(found) and all(found)


def _of_class(context: Context, cls: Defined, kinds: Collection[str], depth: int) -> Iterator[bool]:
    """For each layer of the kinds in a class whether it has one unit; False for what is not known."""
    for attribute in constructed(context.project, cls).values():
        yield from _of_layers(context, Found(tuple(attribute.layers), attribute.complete), cls, kinds, depth)


def _of_layers(
    context: Context, found: Found, owner: Defined | None, kinds: Collection[str], depth: int
) -> Iterator[bool]:
    if not found.complete:
        yield False
    for layer in found.layers:
        if layer.cls is not None:
            order = context.project.mro(layer.cls) or ()
            readable = depth > 0 and any(
                not isinstance(base, Defined) and base.name == "torch.nn.Module" for base in order
            )
            yield from _of_class(context, layer.cls, kinds, depth - 1) if readable else (False,)
        elif layer.kind in kinds:
            yield _has_one_unit(context, layer, owner)
        elif layer.kind.startswith(HOLDS_OTHERS):
            yield False


def _has_one_unit(context: Context, layer: Layer, owner: Defined | None) -> bool:
    kind = layer.kind.removeprefix("torch.nn.")
    call = layer.call
    if call is None or kind not in torch_api.LINEAR_LIKE or any(isinstance(each, ast.Starred) for each in call.args):
        return False
    at, name = OUTPUTS.get(kind, OF_CONVOLUTIONS)
    given = {each.arg: each.value for each in call.keywords}
    match call.args[at] if at < len(call.args) else given.get(name):
        case ast.Constant(value=int(number)):
            return number == 1
        case ast.Name(id=size) if owner is not None:
            return is_alone(context.project, owner.module) and largest_given(owner, size) == 1
    return False
