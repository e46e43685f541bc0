"""Layers and parameters of a model that are replaced after an optimizer was given the model's parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from initaudit.analyzer import torch_api
from initaudit.analyzer.project import Defined, External
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.snippets import Snippet, dotted
from initaudit.analyzer.syntax.context import Context
from initaudit.subjects.registration import ReplacedLayer

OPTIMIZERS = "torch.optim."
NO_OPTIMIZERS = (f"{OPTIMIZERS}lr_scheduler.", f"{OPTIMIZERS}swa_utils.")
LAYERS = {
    *torch_api.LINEAR_LIKE, *torch_api.RESETS_ALL, *torch_api.NORMALIZATIONS, "Embedding", "EmbeddingBag",
    "MultiheadAttention",
}  # fmt: skip
MOVES = {"to", "cuda", "half", "float", "double", "train", "requires_grad_"}


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement, and the stretch of code that it stands in."""

    node: ast.stmt
    snippet: Snippet


@reads(ReplacedLayer, scope=Context, words="parameters(", nearby="optim")
def replaced_layers(context: Context) -> Iterator[ReplacedLayer]:
    """``model.fc = nn.Linear(512, 10)`` below ``optimizer = SGD(model.parameters())``, where that optimizer goes on."""
    for body in _bodies(context):
        for at, made in enumerate(body):
            match made.node:
                case ast.Assign(targets=[target], value=ast.Call() as call) if _is_optimizer(context, call):
                    models = _models(call)
                case _:
                    continue
            after = body[at + 1 :]
            name = dotted(target)
            if not models or not name or _given_again(context, after, name, models):
                continue
            for index, later in enumerate(after):
                replaced = _replaced(context, later.node, models)
                if replaced is not None and _goes_on(after[index + 1 :], name):
                    yield ReplacedLayer(
                        place=later.snippet.place(later.node),
                        target=dotted(replaced[0]) or later.snippet.source(replaced[0]),
                        value=later.snippet.source(replaced[1]),
                        optimizer=name,
                        given=made.snippet.place(made.node),
                    )


def _bodies(context: Context) -> Iterator[list[_Statement]]:
    """The blocks of a function; those of a stretch of top-level code continue with the later stretches."""
    if context.function is not None:
        for node in context.walk():
            for block in (getattr(node, "body", None), getattr(node, "orelse", None)):
                if isinstance(block, list):
                    yield [_Statement(each, context.snippet) for each in block]
        return
    body = [_Statement(each, context.snippet) for each in context.snippet.body]
    module = context.module
    for start, end in module.outline.top_level:
        if start > context.snippet.start and (snippet := module.snippet(start, end)) is not None:
            body += [_Statement(each, snippet) for each in snippet.body]
    yield body


def _is_optimizer(context: Context, call: ast.Call) -> bool:
    name = context.canonical(call.func) or ""
    last = name.rpartition(".")[2]
    return name.startswith(OPTIMIZERS) and not name.startswith(NO_OPTIMIZERS) and last[:1].isupper()


def _models(call: ast.Call) -> set[str]:
    """What an optimizer is given the parameters of, by their names: ``model`` of ``model.parameters()``."""
    return {
        dotted(node.func.value)
        for node in ast.walk(call)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in ("parameters", "named_parameters")
    } - {""}


def _given_again(context: Context, body: Sequence[_Statement], optimizer: str, models: set[str]) -> bool:
    """Whether later code makes another optimizer, gives this one more, or binds a name of these anew."""
    for statement in body:
        for node in ast.walk(statement.node):
            match node:
                case ast.Call(func=ast.Attribute(attr="add_param_group" | "param_groups")):
                    return True
                case ast.Call() if _is_optimizer(context, node):
                    return True
                case ast.Name(ctx=ast.Store(), id=name) if name in {each.partition(".")[0] for each in models}:
                    return True
                case ast.Name(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()) if dotted(node) in models | {optimizer}:
                    return True
    return False


def _replaced(context: Context, statement: ast.stmt, models: set[str]) -> tuple[ast.expr, ast.expr] | None:
    """The part of a model that a statement replaces by a new layer with parameters, or a new parameter."""
    match statement:
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript() as target], value=value):
            owner = _owner(target)
            inside = any(owner == model or owner.startswith(f"{model}.") for model in models)
            return (target, value) if inside and _has_parameters(context, value) else None
    return None


def _owner(target: ast.expr) -> str:
    """The name of what a target is an attribute or an item of."""
    node = target.value if isinstance(target, ast.Attribute | ast.Subscript) else target
    while isinstance(node, ast.Subscript):
        node = node.value
    return dotted(node)


def _has_parameters(context: Context, value: ast.expr) -> bool:
    """Whether an expression makes a parameter, a layer that has some, or a sequence with such a layer."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in MOVES:
        value = value.func.value
    if not isinstance(value, ast.Call):
        return False
    found = context.resolve(value.func)
    if isinstance(found, Defined):
        return found.definition.is_class and context.project.is_module_class(found)
    if not isinstance(found, External) or not found.name.startswith("torch.nn."):
        return False
    last = found.name.rpartition(".")[2]
    if found.name == "torch.nn.Parameter":
        return not any(keyword.arg == "requires_grad" for keyword in value.keywords) and len(value.args) == 1
    if last in ("Sequential", "ModuleList"):
        inner = (node for node in ast.walk(value) if isinstance(node, ast.Call) and node is not value)
        return any(_has_parameters(context, node) for node in inner)
    return last in LAYERS


def _goes_on(body: Sequence[_Statement], optimizer: str) -> bool:
    """Whether an optimizer is an attribute of the object, or is read in later code."""
    if optimizer.startswith("self."):
        return True
    nodes = (node for statement in body for node in ast.walk(statement.node))
    return any(isinstance(node, ast.Name | ast.Attribute) and dotted(node) == optimizer for node in nodes)
