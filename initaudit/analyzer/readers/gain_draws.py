"""What initializing code draws for the gains of normalizations."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.project import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.snippets import nodes
from initaudit.analyzer.syntax.context import File, own_attribute
from initaudit.analyzer.syntax.draws import DRAWN, Draws
from initaudit.analyzer.syntax.iteration import last_name
from initaudit.finding import Observer
from initaudit.subjects.layers import GainDraw

BATCHES = "torch.nn.modules.batchnorm._BatchNorm"
"""What stands for all kinds of it, as the name of a class tells no dimension."""


@reads(GainDraw, scope=File, words=("normal_( uniform_( orthogonal_(", "Norm"))
def gain_draws(file: File) -> Iterator[GainDraw]:
    """Draws of the gain of a normalization."""
    reader = Draws(file.project, file.module, "Norm")
    for scope, snippet in reader.functions(DRAWN):
        for draw in reader.draws(snippet, reader.visible(scope)):
            layers = [layer for layer in draw.layers if _starts_at_one(reader, layer, draw.parameter)]
            if layers:
                yield GainDraw(
                    observer=Observer.ANALYZER,
                    place=snippet.place(draw.node),
                    layer=BATCHES if len(layers) > 1 and all("BatchNorm" in each for each in layers) else layers[0],
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
    return isinstance(found, Defined) and any(
        _sets_to_ones(base, parameter)
        if isinstance(base, Defined)
        else base.name.startswith("torch.nn.") and _starts_at_one(reader, base.name, parameter)
        for base in reader.project.mro(found) or (found,)
    )


def _sets_to_ones(cls: Defined, parameter: str) -> bool:
    """Whether a method of a class makes a parameter of ``torch.ones(...)``."""
    for member in cls.definition.members.values():
        found = cls.module.function(member)
        for node in nodes(found[1]) if found is not None else ():
            match node:
                case ast.Assign(targets=[target], value=ast.Call(func=made, args=[ast.Call(func=factory), *_])) | (
                    ast.AnnAssign(target=target, value=ast.Call(func=made, args=[ast.Call(func=factory), *_]))
                ):
                    named = last_name(made) == "Parameter" and last_name(factory) == "ones"
                    if named and own_attribute(target) == parameter:
                        return True
                case _:
                    pass
    return False
