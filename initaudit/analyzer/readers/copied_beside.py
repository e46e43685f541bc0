"""Two parts of a module of which one is a copy of the other, and which the module uses side by side."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.copied_layers import is_random, stays
from initaudit.analyzer.source.snippets import begin
from initaudit.analyzer.syntax.context import Context, methods, own_attribute, own_attributes
from initaudit.analyzer.syntax.elsewhere import spoken_of_elsewhere
from initaudit.analyzer.syntax.structure import below, made
from initaudit.analyzer.torch_api import RETURN_THE_MODULE
from initaudit.finding import Observer
from initaudit.subjects.layers import CopiedLayers

APART = {
    "no_grad",
    "inference_mode",
    "detach",
    "requires_grad",
    "requires_grad_",
    "eval",
    "parameters",
    "data",
    "copy_",
}
"""What a class uses that treats one of the two in another way, such as a target network."""
LOADS = re.compile(r"load|pretrain|torchvision|create_model", re.I)
"""What stands in the names of what gives layers values from elsewhere."""


@reads(CopiedLayers, scope=Context, words="deepcopy(", nearby="forward(", named="__init__")
def copied_beside(context: Context) -> Iterator[CopiedLayers]:
    """``self.q2 = copy.deepcopy(self.q1)``, where a method gives both the same input."""
    cls, project = context.cls, context.project
    if cls is None or context.function is None or not project.is_module_class(cls):
        return
    for statement in context.walk():
        match statement:
            case ast.Assign(targets=[target], value=value):
                other, copy = own_attribute(target), _unmoved(value)
            case _:
                continue
        if not isinstance(copy, ast.Call) or context.canonical(copy.func) != "copy.deepcopy" or len(copy.args) != 1:
            continue
        first = own_attribute(copy.args[0])
        values = context.assigned(f"self.{first}") if first is not None else []
        if (
            first is None
            or other is None
            or not values
            or not all(_is_drawn(context, _unmoved(each)) for each in values)
        ):
            continue
        if not APART.isdisjoint(cls.module.usage(cls.definition).names) or not _are_left(
            context, statement, first, other
        ):
            continue
        if (
            _get_the_same(context, first, other)
            and not spoken_of_elsewhere(project, cls, other)
            and stays(project, cls)
        ):
            yield CopiedLayers(
                observer=Observer.ANALYZER,
                place=context.snippet.place(copy),
                model=cls.qualname,
                name=other,
                source=context.snippet.source(copy),
                beside=(first, other),
            )


def _is_drawn(context: Context, value: ast.expr) -> bool:
    """Whether an expression makes layers that draw weights themselves, and load none."""
    found = made(context, value)
    parts = list(below(context.project, list(found.layers), set()))
    classes = [each.cls for each in parts if each.cls is not None]
    loaded = any(LOADS.search(name) for cls in classes for name in cls.module.usage(cls.definition).names)
    known = found.complete and all(each.cls is not None or each.kind.startswith("torch.nn.") for each in parts)
    return known and not loaded and any(map(is_random, parts))


def _unmoved(value: ast.expr) -> ast.expr:
    """What is moved at once: ``copy.deepcopy(self.q1).to(device)``."""
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Call() as inner, attr=name)) if name in RETURN_THE_MODULE:
            return inner
    return value


def _are_left(context: Context, copied: ast.stmt, *names: str) -> bool:
    """Whether the constructor does no more with two attributes, once one is copied, than to move them."""
    assert context.function is not None
    for node in ast.walk(context.function):
        if isinstance(node, ast.stmt) and begin(node) > begin(copied) and own_attributes(node) & set(names):
            match node:
                case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name))) if name in RETURN_THE_MODULE:
                    pass
                case ast.If() | ast.For() | ast.With():
                    pass  # what is in it counts
                case _:
                    return False
    return True


def _get_the_same(context: Context, first: str, other: str) -> bool:
    """Whether a method calls two attributes of the object with the same arguments."""
    assert context.cls is not None
    for method in methods(context.project, context.cls):
        calls: dict[str, set[str]] = {first: set(), other: set()}
        for call in method.calls():
            name = own_attribute(call.func)
            if name in calls and call.args + call.keywords:
                given = (*call.args, *(each.value for each in call.keywords))
                calls[name].add(", ".join(map(ast.unparse, given)))
        if calls[first] & calls[other]:
            return True
    return False
