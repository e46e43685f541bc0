"""What initializing code draws for the gains of normalizations."""

from __future__ import annotations

import re
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.matches import groups
from initaudit.analyzer.project import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.syntax.context import File
from initaudit.analyzer.syntax.draws import DRAWN, Draws
from initaudit.finding import Observer
from initaudit.subjects.layers import GainDraw

MADE = groups("Norm*(")


@reads(GainDraw, scope=File, words=("normal_( uniform_( orthogonal_(", "Norm"))
def gain_draws(file: File) -> Iterator[GainDraw]:
    """Draws of the gain of a normalization."""
    reader = Draws(file.project, file.module, MADE)
    for scope, snippet in reader.functions(DRAWN):
        for draw in reader.draws(snippet, reader.visible(scope)):
            layer = next((layer for layer in draw.layers if _starts_at_one(reader, layer, draw.parameter)), None)
            if layer is not None:
                yield GainDraw(
                    observer=Observer.ANALYZER,
                    place=snippet.place(draw.node),
                    layer=layer,
                    parameter=draw.parameter,
                    call=draw.call,
                    mean=draw.mean,
                    source=snippet.source(draw.node),
                )


def _starts_at_one(reader: Draws, layer: str, parameter: str) -> bool:
    """Whether a layer is a normalization, and this parameter its gain, which its constructor sets to one."""
    if layer.startswith("torch.nn."):
        return layer.removeprefix("torch.nn.") in torch_api.NORMALIZATIONS and parameter == "weight"
    found = reader.project.absolute(layer) if "Norm" in layer.rpartition(".")[2] else None
    ones = re.compile(rf"self\.{parameter}\s*(?::[^=\n]+)?=\s*(?:\w+\.)*Parameter\(\s*(?:\w+\.)*ones\(")
    return isinstance(found, Defined) and any(
        ones.search(base.module.slice(base.definition))
        if isinstance(base, Defined)
        else base.name.startswith("torch.nn.") and _starts_at_one(reader, base.name, parameter)
        for base in reader.project.mro(found) or (found,)
    )
