"""New layers of a model that are frozen together with the layers that it had before."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.replaced_layers import given_to_optimizer, has_parameters, optimized
from initaudit.analyzer.source.snippets import dotted, last_name
from initaudit.analyzer.syntax.context import Context, Placed, all_blocks
from initaudit.analyzer.torch_api import RETURN_THE_MODULE
from initaudit.subjects.registration import FrozenLayer


@reads(FrozenLayer, scope=Context, words=("requires_grad= requires_grad_(", "parameters("), nearby="optim")
@reads(FrozenLayer, scope=Context, words="requires_grad_(", nearby="optim", named="__init__")
def frozen_layers(context: Context) -> Iterator[FrozenLayer]:
    """``model.fc = nn.Linear(512, 5)``, then all of ``model`` frozen, and an optimizer that is given its parameters."""
    if _unfreezes(context):
        return
    for body in all_blocks(context):
        for at, freezing in enumerate(body):
            model = _frozen_model(freezing.node)
            if model is None or not (
                _is_optimized(context, body[at + 1 :], model) or _is_trained(context, body[at + 1 :], model)
            ):
                continue
            for made in body[:at]:
                match made.node:
                    case (
                        ast.Assign(targets=[ast.Attribute() as target], value=value)
                        | ast.AnnAssign(target=ast.Attribute() as target, value=ast.expr() as value)
                    ):
                        inside = dotted(target).startswith(f"{model}.")
                    case _:
                        continue
                if inside and has_parameters(made.context, value):
                    yield FrozenLayer(
                        place=freezing.context.snippet.place(freezing.node),
                        source=freezing.context.snippet.source(freezing.node).partition("\n")[0],
                        target=dotted(target),
                        made=made.context.snippet.place(made.node),
                    )
                    break


def _frozen_model(statement: ast.stmt) -> str | None:
    """The model all of whose parameters a statement freezes, without a choice among them."""
    match statement:
        case ast.For(target=ast.Name(id=name), iter=ast.Call(func=walked, args=[]), body=[inner]):
            freezes = _sets(inner, name) is False
            owner, _, method = dotted(walked).rpartition(".")
            return owner if freezes and owner and method == "parameters" else None
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner), args=[_])):
            name = dotted(owner)
            return name if name and _sets(statement, name) is False else None
    return None


def _sets(statement: ast.AST, name: str | None = None) -> bool | None:
    """What a statement sets ``requires_grad`` of a name, or of anything, to; None if it does not or is unknown."""
    match statement:
        case ast.Assign(targets=[ast.Attribute(attr="requires_grad", value=owner)], value=ast.Constant(value=bool(to))):
            return to if name is None or dotted(owner) == name else None
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="requires_grad_", value=owner), args=given)):
            if name is not None and dotted(owner) != name:
                return None
            return True if not given else given[0].value is not False if isinstance(given[0], ast.Constant) else None
    return None


def _unfreezes(context: Context) -> bool:
    """Whether code of the file makes anything trainable, by a value or a function's name, or loads trained values."""
    for start, end in context.module.parts_naming("requires_grad"):
        snippet = context.module.quiet_snippet(start, end)
        for node in snippet.nodes if snippet is not None else ():
            sets = isinstance(node, ast.Attribute) and node.attr == "requires_grad" and isinstance(node.ctx, ast.Store)
            calls = isinstance(node, ast.Call) and last_name(node.func) == "requires_grad_"
            parent = snippet.parents.get(node) if snippet is not None and (sets or calls) else None
            if parent is not None and _sets(parent) is not False:
                return True
    called = {name for part in context.module.parts() for name in context.module.usage_of(*part).last_called}
    return "load_state_dict" in called or any("freeze" in name or "trainable" in name for name in called)


def _is_trained(context: Context, body: Sequence[Placed], model: str) -> bool:
    """Whether code of the file gives an optimizer the parameters of what a constructor makes; it adds nothing more."""
    cls = context.cls
    if cls is None or context.function is None or context.function.name != "__init__":
        return False
    stored = (node for each in body for node in ast.walk(each.node) if isinstance(node, ast.Attribute))
    if any(isinstance(node.ctx, ast.Store) and dotted(node).startswith(f"{model}.") for node in stored):
        return False
    for start, end in context.module.parts_naming("optim"):
        snippet = context.module.quiet_snippet(start, end)
        program = replace(context, definition=None, snippet=snippet) if snippet is not None else None
        for call in program.calls() if program is not None else ():
            if program is not None and any(_is_object(program, each, cls) for each in optimized(program, call)):
                return True
    return False


def _is_object(program: Context, model: ast.expr, cls: Defined) -> bool:
    """Whether an expression makes an object of a class, or is a name that is only bound to such."""
    values = program.assigned(dotted(model)) if dotted(model) else [model]
    for value in values:
        while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            if value.func.attr not in RETURN_THE_MODULE:
                break
            value = value.func.value
        if not isinstance(value, ast.Call) or program.resolve(value.func) != cls:
            return False
    return bool(values)


def _is_optimized(context: Context, body: Sequence[Placed], model: str) -> bool:
    """Whether code gives an optimizer the parameters of a model, or of a part of it, and puts nothing new into it."""
    optimized = False
    for each in body:
        for node in ast.walk(each.node):
            stored = dotted(node) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) else ""
            if stored.startswith(f"{model}."):
                return False
            if isinstance(node, ast.Call):
                given = given_to_optimizer(context, node)
                optimized |= any(name == model or name.startswith(f"{model}.") for name in given)
    return optimized
