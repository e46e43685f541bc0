"""Models whose layers have one unit each, as a linear regression: there are no units that stay alike."""

from __future__ import annotations

import ast
from collections.abc import Collection

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.builds import largest_size
from initaudit.analyzer.source.snippets import argument
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.reached import below, layers_of
from initaudit.analyzer.syntax.structure import Layer

OUTPUTS = {"Linear": (1, "out_features"), "Bilinear": (2, "out_features")}
OF_CONVOLUTIONS = (1, "out_channels")


def has_single_units(context: Context, model: ast.expr, kinds: Collection[str]) -> bool:
    """Whether a model is known to have layers of some kinds, and each of them has one unit."""
    found = below(context, layers_of(context, model))
    layers = [layer for layer in found.layers if layer.kind in kinds]
    return found.complete and bool(layers) and all(map(_has_one_unit, layers))


def _has_one_unit(layer: Layer) -> bool:
    kind = layer.kind.removeprefix("torch.nn.")
    if kind not in torch_api.LINEAR_LIKE:
        return False
    return largest_size(layer, argument(layer.call, *OUTPUTS.get(kind, OF_CONVOLUTIONS))) == 1
