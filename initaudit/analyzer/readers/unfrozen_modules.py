"""Modules that are given an attribute ``requires_grad``, which torch reads of parameters alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initaudit.analyzer.project.names import Defined, External, Project
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.replaced_layers import given_to_optimizer
from initaudit.analyzer.source.snippets import dotted, last_name
from initaudit.analyzer.syntax.context import Context, method, own_attribute
from initaudit.analyzer.syntax.meaning import Step, What, targets
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.stateful import PARAMETERS, is_stateful
from initaudit.analyzer.syntax.structure import Layer, below, constructed
from initaudit.analyzer.torch_api import STATEFUL
from initaudit.subjects.registration import Unfrozen

FLAG = "requires_grad"
SETS = {FLAG, "requires_grad_", "__setattr__"}
"""Methods of a class that give the flag a meaning of its own."""
WALKS = {"modules", "children"}
LIBRARIES = ("torchvision.models.", "transformers.", "timm.create_model")
OTHERWISE = {"no_grad", "inference_mode", "detach"}
"""What keeps gradients from the layers of a class, where its code calls it."""


@reads(Unfrozen, scope=Context, words="requires_grad=")
def unfrozen_modules(context: Context) -> Iterator[Unfrozen]:
    """``self.encoder.requires_grad = False`` where that is a module with parameters, and no parameter or tensor."""
    meanings = Meanings(context)
    for step in meanings.steps():
        match step.statement:
            case ast.Assign(targets=[ast.Attribute(attr="requires_grad", value=owner)], value=ast.Constant(False)):
                each = _is_element(meanings, step, owner)
                if (each or _is_module(context, owner)) and not _has_meaning(context, owner):
                    yield Unfrozen(
                        place=context.snippet.place(step.statement),
                        source=context.snippet.source(step.statement),
                        target=dotted(owner),
                        each=each,
                    )
            case _:
                pass


def _is_element(meanings: Meanings, step: Step, owner: ast.expr) -> bool:
    """Whether a loop over the modules of a model binds a name."""
    if not isinstance(owner, ast.Name):
        return False
    for loop in step.rounds:
        match loop:
            case ast.For(target=target, iter=ast.Call(func=ast.Attribute(value=model, attr=walk), args=[])):
                if walk in WALKS and targets(target) == {owner.id} and _is_module(meanings.context, model):
                    return True
    meaning = meanings.meaning(owner, step.names)
    return meaning is not None and meaning.what is What.MODULE and meaning.element


def _is_module(context: Context, owner: ast.expr) -> bool:
    """Whether an expression is a module with parameters that may be trained."""
    cls, project = context.cls, context.project
    if isinstance(owner, ast.Name) and owner.id != "self":
        return any(owner.id in given_to_optimizer(context, call) for call in context.calls())
    if cls is None or not project.is_module_class(cls):
        return False
    used = cls.module.usage(cls.definition)
    if isinstance(owner, ast.Name):
        return _has_own(project, cls)
    name = own_attribute(owner)
    held = constructed(project, cls).get(name or "")
    if held is None or not OTHERWISE.isdisjoint(used.last_called):
        return False
    if held.complete:
        return any(_has_parameters(each) for each in below(project, held.layers, set()))
    init = method(context, "__init__")
    given = init.assigned(f"self.{name}") if init is not None else []
    return bool(given) and init is not None and all(_is_pretrained(init, each) for each in given)


def _is_pretrained(context: Context, value: ast.expr) -> bool:
    """Whether an expression makes a model of a library of models."""
    name = context.canonical(value.func) if isinstance(value, ast.Call) else None
    return (
        name is not None
        and name.startswith(LIBRARIES)
        and name.endswith("Model.from_pretrained") is (name.startswith("transformers."))
    )


def _has_parameters(layer: Layer) -> bool:
    return (
        layer.call is not None and layer.context is not None and is_stateful(layer.context, layer.call, buffers=False)
    )


def _has_own(project: Project, cls: Defined) -> bool:
    """Whether a class, or a base of it, makes parameters or layers with some, or is such a layer of torch."""
    return any(
        not PARAMETERS.isdisjoint(base.module.usage(base.definition).last_called)
        if isinstance(base, Defined)
        else base.name.removeprefix("torch.nn.") in STATEFUL
        for base in project.mro(cls) or ()
    )


def _has_meaning(context: Context, owner: ast.expr) -> bool:
    """Whether code reads the flag, or freezes the parameters of the module as well."""
    cls, name = context.cls, dotted(owner)
    bases: Sequence[Defined | External] = (context.project.mro(cls) or ()) if cls is not None else ()
    if any(isinstance(base, Defined) and not SETS.isdisjoint(base.definition.members) for base in bases):
        return True
    whole = cls.module.snippet(cls.definition.start, cls.definition.end) if cls is not None else None
    return any(_reads(node, name) or _freezes(node) for node in (whole or context.snippet).nodes)


def _reads(node: ast.AST, name: str) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == FLAG
        and isinstance(node.ctx, ast.Load)
        and dotted(node.value) == name
    )


def _freezes(node: ast.AST) -> bool:
    """Whether a node freezes parameters, or calls something that does by its name."""
    match node:
        case ast.For(iter=ast.Call(func=ast.Attribute(attr="parameters" | "named_parameters"))):
            return any(isinstance(each, ast.Attribute) and each.attr == FLAG for each in ast.walk(node))
        case ast.Call(func=called):
            return last_name(called) == "requires_grad_" or "freeze" in last_name(called)
    return False
