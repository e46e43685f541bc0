"""What is given to the functions of ``nn.init`` and cannot be initialized by them: modules, and vectors."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.snippets import nodes
from initaudit.analyzer.syntax.context import Context, own_attribute
from initaudit.analyzer.syntax.meaning import Meaning, Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.structure import constructed
from initaudit.subjects.initializers import ModuleGiven, VectorGiven

FUNCTIONS = "uniform_( normal_( constant_( ones_( zeros_( eye_( dirac_( sparse_( orthogonal_("
RENAMED = "uniform( normal( constant( eye( dirac( sparse( orthogonal("
OF_MATRICES = {
    "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_", "sparse_", "dirac_",
    "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal", "sparse", "dirac",
}  # fmt: skip
"""Functions that raise for a tensor of one dimension."""
LAYERS = {f"torch.nn.{name}" for name in torch_api.LINEAR_LIKE}
NORMS = {f"torch.nn.{name}" for name in torch_api.NORMALIZATIONS - {"LayerNorm", "RMSNorm"}}
"""Normalizations whose gain has one dimension whatever they are given."""
VECTORS = {**{(kind, "bias"): "a bias" for kind in LAYERS | NORMS}, **{(kind, "weight"): "a gain" for kind in NORMS}}


@reads(ModuleGiven, scope=Context, words=f"{FUNCTIONS} {RENAMED}", nearby="init")
@reads(VectorGiven, scope=Context, words="normal_( uniform_( xavier_*( kaiming_*( orthogonal dirac", nearby="init")
def initializer_arguments(context: Context) -> Iterator[ModuleGiven | VectorGiven]:
    """Modules and vectors that are given to functions of ``nn.init`` which raise for them."""
    meanings = Meanings(context)
    for step in meanings.steps():
        if step.guarded:
            continue
        for call in _calls(step.statement):
            name = context.canonical(call.func) or ""
            if not name.startswith(torch_api.INIT) or not call.args:
                continue
            initializer, target = name.removeprefix(torch_api.INIT), call.args[0]
            meaning = meanings.meaning(target, step.names)
            if meaning is None:
                continue
            if meaning.what is What.MODULE and initializer != "calculate_gain" and not initializer.startswith("_"):
                yield ModuleGiven(
                    place=context.snippet.place(call), initializer=initializer, target=context.snippet.source(target)
                )
            elif initializer in OF_MATRICES and (why := _vector(context, meaning, step)) is not None:
                yield VectorGiven(
                    place=context.snippet.place(call),
                    initializer=initializer,
                    target=context.snippet.source(target),
                    why=why,
                )


def _calls(statement: ast.stmt) -> Iterator[ast.Call]:
    """The calls of a statement, without those of statements in it."""
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Call):
            yield node
        pending += [
            inner
            for inner in ast.iter_child_nodes(node)
            if not isinstance(inner, ast.stmt | ast.Lambda | ast.ExceptHandler | ast.match_case)
        ]


def _vector(context: Context, meaning: Meaning, step: Step) -> str | None:
    """Why what a call is given has one dimension, where that is known."""
    if meaning.part or meaning.reshaped or meaning.what is not What.PARAMETER:
        return None
    if meaning.attribute is not None and meaning.kinds:
        found = {VECTORS.get((kind, meaning.attribute)) for kind in meaning.kinds}
        one = found.pop() if len(found) == 1 else None
        return f"{one} has one dimension" if one is not None else None
    if meaning.element and not step.tests and meaning.source == "self.parameters()":
        return _with_vectors(context)
    return None


def _with_vectors(context: Context) -> str | None:
    """A parameter of one dimension that the class of a method certainly has."""
    if context.cls is None:
        return None
    for attribute in constructed(context.project, context.cls).values():
        for layer in attribute.layers:
            last = layer.kind.removeprefix("torch.nn.")
            if layer.kind in NORMS | {"torch.nn.LayerNorm", "torch.nn.RMSNorm"} and "affine" not in layer.made:
                return f"`{attribute.name}`, a {last}, has parameters of one dimension"
            if layer.kind in LAYERS and _has_bias(context, attribute.name):
                return f"`{attribute.name}`, a {last}, has a bias, which has one dimension"
    return None


def _has_bias(context: Context, name: str) -> bool:
    """Whether every call that makes an attribute leaves torch's default of a bias."""
    cls = context.cls
    init = cls.definition.members.get("__init__") if cls is not None else None
    found = cls.module.function(init) if cls is not None and init is not None else None
    for node in nodes(found[1]) if found is not None else ():
        match node:
            case ast.Assign(targets=[target], value=ast.Call() as call) if own_attribute(target) == name:
                inner = [each for each in nodes(call) if isinstance(each, ast.Call)]
                return not any(
                    keyword.arg in ("bias", None) or len(each.args) > 3 for each in inner for keyword in each.keywords
                )
    return False
