"""What initializing code draws for the gains of normalizations."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import last_name, nodes
from initaudit.analyzer.syntax.context import Context, own_attribute
from initaudit.analyzer.syntax.draws import draws, mean
from initaudit.analyzer.syntax.made_after import present_layers
from initaudit.analyzer.syntax.meaning import Step
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.name_conditions import reaches
from initaudit.analyzer.syntax.reached import walked_model
from initaudit.analyzer.syntax.structure import without
from initaudit.analyzer.syntax.walks import written
from initaudit.finding import Observer
from initaudit.subjects.layers import GainDraw

OF_VECTORS = ("normal_", "uniform_", "trunc_normal_")
"""Draws that do not raise for a tensor of one dimension."""
BATCHES = "torch.nn.modules.batchnorm._BatchNorm"
"""What stands for all kinds of it, as the name of a class tells no dimension."""


@reads(GainDraw, scope=Context, words="normal_( uniform_( orthogonal_(", nearby="Norm")
def gain_draws(context: Context) -> Iterator[GainDraw]:
    """Draws of the gain of a normalization."""
    for draw in draws(context):
        layers = [layer for layer in draw.layers if _starts_at_one(context.project, layer, draw.parameter)]
        if layers:
            yield GainDraw(
                observer=Observer.ANALYZER,
                place=context.snippet.place(draw.node),
                layer=BATCHES if len(layers) > 1 and all("BatchNorm" in each for each in layers) else layers[0],
                parameter=draw.parameter,
                call=draw.call,
                mean=draw.mean,
                source=context.snippet.source(draw.node),
            )


@reads(GainDraw, scope=Context, words=("normal_( uniform_(", "parameters("), nearby="Norm")
def gains_among_parameters(context: Context) -> Iterator[GainDraw]:
    """Draws for parameters of a class by their names, which come to the gain of a normalization too."""
    meanings = Meanings(context)
    for step in meanings.steps():
        call = step.statement.value if isinstance(step.statement, ast.Expr) else None
        target = written(context, call) if isinstance(call, ast.Call) else None
        meaning = meanings.meaning(target, step.names) if target is not None else None
        if not isinstance(call, ast.Call) or meaning is None or not meaning.element or meaning.part:
            continue
        name, of_init = last_name(call.func), (context.canonical(call.func) or "").startswith(torch_api.INIT)
        norm = _norm_reached(context, walked_model(meaning.source), step) if name in OF_VECTORS else None
        if norm is not None:
            by = f"{'init' if of_init else 'Tensor'}.{name}"
            yield GainDraw(
                observer=Observer.ANALYZER,
                place=context.snippet.place(call),
                layer=norm,
                parameter="weight",
                call=by,
                mean=mean(context, by, call.args[of_init:], call.keywords),
            )


def _norm_reached(context: Context, model: ast.expr | None, step: Step) -> str | None:
    """The class of a normalization whose gain a loop over parameters comes to, and which nothing sets later."""
    later = [node for statement in step.after for node in ast.walk(statement)]
    if model is None or any("Norm" in last_name(node) for node in later):
        return None
    set_later = {node.attr for node in later if isinstance(node, ast.Attribute)}
    for name, layer in present_layers(context, model, step.statement):
        norm = layer.cls is None and layer.kind.removeprefix("torch.nn.") in torch_api.NORMALIZATIONS
        if not norm or layer.call is None or not set_later.isdisjoint(name.split(".")):
            continue
        if without(layer.kind, layer.call, "weight") is False and reaches(step, f"{name}.weight".lstrip(".")):
            return layer.kind
    return None


def _starts_at_one(project: Project, layer: str, parameter: str) -> bool:
    """Whether a layer is a normalization, and this parameter its gain, which its constructor sets to one."""
    if layer.startswith("torch.nn."):
        return layer.removeprefix("torch.nn.") in torch_api.NORMALIZATIONS and parameter == "weight"
    found = project.absolute(layer) if "Norm" in layer.rpartition(".")[2] else None
    return isinstance(found, Defined) and any(
        _sets_to_ones(base, parameter)
        if isinstance(base, Defined)
        else base.name.startswith("torch.nn.") and _starts_at_one(project, base.name, parameter)
        for base in project.mro(found) or (found,)
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
