"""Whether a normalization may follow the layers that some code draws, so that their scale says nothing."""

from __future__ import annotations

import ast

from initaudit.analyzer.project.names import Defined, External
from initaudit.analyzer.source.snippets import root
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.reached import below, layers_of
from initaudit.analyzer.syntax.structure import UNKNOWN, Found, Layer


def may_be_normalized(context: Context, target: ast.expr) -> bool:
    """Whether a normalization of the file may follow a layer; not where all models with that layer are known."""
    if "Norm" not in context.module.text:  # what no text holds no tree does
        return False
    if not any(_calls_normalization(context, part) for part in context.module.parts()):
        return False
    cls = context.cls
    if cls is not None and context.project.is_module_class(cls):
        return _may_be_followed(context, cls)
    variable = root(target, calls=True)
    found = layers_of(context, variable) if variable is not None and context.function is None else UNKNOWN
    unclear = not found.complete or not found.layers
    return unclear or any(layer.cls is not None or _is_norm(layer) for layer in found.layers)


def _may_be_followed(context: Context, cls: Defined) -> bool:
    """Whether a class, one that holds it, or a function that builds one of these, has a normalization."""
    pending, seen, module = [cls], set[Defined](), context.module
    while pending:
        each = pending.pop()
        seen.add(each)
        if _has_normalization(context, each):
            return True
        for part in module.parts_naming(each.definition.name):
            around = next((one for one in module.outline.outermost() if (one.start, one.end) == part), None)
            if around is not None and around.is_class:
                pending += [Defined(module, around)] if Defined(module, around) not in seen else []
            elif _calls_normalization(context, part):
                return True
    return False


def _has_normalization(context: Context, cls: Defined) -> bool:
    """Whether a class is made of layers that are not all known, or has a normalization as a layer or a function."""
    found = below(context, Found((Layer(cls.qualname, cls.definition.name, cls),)))
    classes = [layer.cls for layer in found.layers if layer.cls is not None]
    names = (name for each in classes for name in each.module.usage(each.definition).names)
    return not found.complete or any(map(_is_norm, found.layers)) or any(map(_speaks_of_norms, names))


def _is_norm(layer: Layer) -> bool:
    return "Norm" in layer.kind.rpartition(".")[2]


def _speaks_of_norms(name: str) -> bool:
    """Whether a name is that of a normalization: ``layer_norm``, and not ``normal_``."""
    lower = name.lower().rstrip("_")
    return "norm" in lower and not lower.endswith(("normal", "clip_grad_norm"))


def _calls_normalization(context: Context, part: tuple[int, int]) -> bool:
    """Whether a part of the file calls a normalization that may be part of a model."""
    called = context.module.usage_of(*part).called
    return any("Norm" in name.rpartition(".")[2] and not _is_of_data(context, name) for name in called)


def _is_of_data(context: Context, name: str) -> bool:
    """Whether something normalizes examples, and is no module: ``transforms.Normalize``, or a class of the project."""
    found = context.project.resolve(context.module, name)
    if isinstance(found, Defined):
        order = context.project.mro(found) if found.definition.is_class else None
        return order is not None and not context.project.is_module_class(found)
    return isinstance(found, External) and "Normaliz" in found.name.rpartition(".")[2]
