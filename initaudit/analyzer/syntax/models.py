"""Whether an expression, or a parameter of a function, is known to be a module: other trees have ``modules()`` too."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from initaudit.analyzer import torch_api
from initaudit.analyzer.source.snippets import FunctionNode, dotted, last_name, nodes
from initaudit.analyzer.syntax.context import Context

OF_OTHER_TYPES = {
    "double", "half", "bfloat16", "float64", "float16", "to", "type", "set_default_dtype", "set_default_tensor_type",
}  # fmt: skip
DEVICES = {"cuda", "to", "device", "set_default_device", "set_default_tensor_type"}
MAKERS = frozenset({"type", "Type", "Callable"})
"""What an annotation names for a class of modules, or for another function that makes one."""
OF_MODULES = {"weight", "bias", "parameters", "named_parameters", "reset_parameters", "requires_grad_", "state_dict"}
"""Attributes of modules that other trees do not have."""
MODEL_LIKE = re.compile(r"net|model|module|encoder|decoder|backbone|classifier|critic|actor|policy", re.IGNORECASE)


def is_model(context: Context, model: ast.expr, loop: ast.For | ast.AsyncFor | ast.comprehension | None = None) -> bool:
    """Whether a type, an assignment, or what a ``loop`` over it does with its parts, say that it is a model."""
    root, _, rest = dotted(model).partition(".")
    if root == "self":
        return context.cls is not None and context.project.is_module_class(context.cls)
    if root and not rest and (_annotated(context, root) or _assigned(context, root)):
        return True
    if isinstance(model, ast.Call):
        return context.is_module_class(model.func)
    return loop is not None and (_tests_module_types(context, loop) or _uses_modules(loop) or _names_layers(loop))


def _annotated(context: Context, name: str) -> bool:
    """Whether a parameter of the function is annotated with a class of modules."""
    return any(
        context.is_module_class(inner)
        for node in context.walk()
        if isinstance(node, ast.arg) and node.arg == name and node.annotation is not None
        if MAKERS.isdisjoint(last_names(node.annotation))
        for inner in nodes(node.annotation)
    )


def _assigned(context: Context, name: str) -> bool:
    """Whether the file assigns an object of a module class to the name."""
    for part in context.module.parts_naming(name):
        snippet = context.module.quiet_snippet(*part)
        for node in snippet.nodes if snippet is not None else ():
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id=target), *_], value=ast.Call(func=made))
                    | ast.AnnAssign(target=ast.Name(id=target), value=ast.Call(func=made))
                ) if target == name and context.is_module_class(made):
                    return True
                case _:
                    pass
    return False


def _tests_module_types(context: Context, loop: ast.For | ast.AsyncFor | ast.comprehension) -> bool:
    """Whether the body asks ``isinstance(m, nn.Linear)``."""
    return any(
        context.is_module_class(kind)
        for statement in (loop.body if not isinstance(loop, ast.comprehension) else loop.ifs)
        for node in nodes(statement)
        if isinstance(node, ast.Call) and dotted(node.func) == "isinstance" and len(node.args) == 2
        for kind in nodes(node.args[1])
    )


def _uses_modules(loop: ast.For | ast.AsyncFor | ast.comprehension) -> bool:
    """Whether the body of a loop asks its elements for what modules have, as for ``m.weight``."""
    names = {node.id for node in nodes(loop.target) if isinstance(node, ast.Name)}
    return any(
        node.attr in OF_MODULES
        for statement in (loop.body if not isinstance(loop, ast.comprehension) else loop.ifs)
        for node in nodes(statement)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names
    )


def _names_layers(loop: ast.For | ast.AsyncFor | ast.comprehension) -> bool:
    """Whether the body asks for classes, and spells part of the name of a layer of torch: ``"Linear"``, ``"Conv"``."""
    inside = [
        node
        for statement in (loop.body if not isinstance(loop, ast.comprehension) else loop.ifs)
        for node in nodes(statement)
    ]
    asks = any(
        last_name(node) in ("__class__", "type") for node in inside if isinstance(node, ast.Attribute | ast.Name)
    )
    texts = [node.value for node in inside if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return asks and any(len(text) > 2 and any(text in name for name in torch_api.LAYER_NAMES) for text in texts)


def is_basic(index: ast.expr) -> bool:
    """Whether an index gives a view, and no copy: slices, numbers, ``...`` and names of loop counters."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    return all(
        isinstance(part, ast.Slice)
        or (isinstance(part, ast.UnaryOp) and not isinstance(part.op, ast.Invert))
        or (isinstance(part, ast.Constant) and (part.value is ... or part.value is None or isinstance(part.value, int)))
        for part in parts
    )


def converts(context: Context, kinds: Sequence[str], method: str) -> bool:
    """Whether a method surely makes a copy of parameters: torch's own layers, in a file that converts nothing else."""
    others = DEVICES if method == "cuda" else OF_OTHER_TYPES
    if not kinds or not all(kind.startswith("torch.nn.") for kind in kinds):
        return False
    module = context.module
    snippets = [module.quiet_snippet(*part) for part in module.parts()]
    every = [node for snippet in snippets if snippet is not None for node in snippet.nodes]
    names = [last_name(node) for node in every if isinstance(node, ast.Attribute | ast.Name)]
    chosen = any(isinstance(each, ast.keyword) and each.arg in ("dtype", "device") for each in every)
    other = chosen or sum(names.count(each) for each in others) > 1
    return None not in snippets and not other and names.count(method) == 1


def last_names(annotation: ast.expr) -> list[str]:
    """The names of an annotation, without what they are attributes of."""
    return [last_name(node) for node in nodes(annotation) if isinstance(node, ast.Name | ast.Attribute)]


def is_module(context: Context, param: ast.arg, asked: set[str]) -> bool:
    """Whether a parameter is annotated as a module, or the function asks which class of modules it is of."""
    if param.annotation is not None:
        if not MAKERS.isdisjoint(last_names(param.annotation)):
            return False
        inner = [node for node in nodes(param.annotation) if isinstance(node, ast.Name | ast.Attribute)]
        return any(map(context.is_module_class, inner))
    return param.arg in asked


def asked_for(context: Context, function: FunctionNode) -> set[str]:
    """The names of which a function asks which class of modules they are of."""
    asked: set[str] = set()
    if not context.holds("isinstance(") and not context.holds("'match'"):
        return asked
    for node in nodes(function):
        match node:
            case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=name), kinds]) if name not in asked:
                asked |= {name} if any(map(context.is_module_class, nodes(kinds))) else set()
    return asked
