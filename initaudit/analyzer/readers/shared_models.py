"""Models whose parameters are copied to themselves: under a second name, or under the same."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.collected import is_test
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import Snippet, begin, nodes
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.loads import copied_state, model_of_parameters
from initaudit.finding import Place
from initaudit.subjects.layers import SharedModel

THE_SAME = torch_api.RETURN_THE_MODULE | {"requires_grad_"}
"""Methods of a module that return the module itself."""


@reads(SharedModel, scope=Context, words="=", nearby="load_state_dict( copy_(")
def shared_models(context: Context) -> Iterator[SharedModel]:
    """``self.target = model.to(device)``, where ``self.policy`` is the same model and is copied to it."""
    function = context.function
    body = function.body if function is not None else context.snippet.body
    held: dict[str, str] = {}
    for statement in body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name() | ast.Attribute() as target], value=value)
                | ast.AnnAssign(target=ast.Name() | ast.Attribute() as target, value=ast.expr() as value)
            ):
                name, model = ast.unparse(target), _itself(value)
            case _:
                continue
        held = {other: of for other, of in held.items() if other != name and not _is_part(of, name)}
        if model is None or _is_part(model, name):
            continue
        model = held.get(model, model)
        others = [*(other for other, of in held.items() if of == model), model]
        held[name] = model
        for other in others:
            if (copied := _copied_before(context, body, statement, name, other)) is None:
                copied = _copied(context, statement, name, other)
            if copied is not None:
                yield SharedModel(place=context.snippet.place(statement), name=name, other=other, copied=copied)
                break


@reads(SharedModel, scope=Context, words="load_state_dict( zip(", nearby="parameters( state_dict(")
def copied_to_themselves(context: Context) -> Iterator[SharedModel]:
    """``self.target.load_state_dict(self.target.state_dict())``; a test may do so to see that it works."""
    for node in context.walk() if context.function is not None and not is_test(context.module) else ():
        match _copied_models(node):
            case (to, of, copy) if to == of and "(" not in to:
                place = context.snippet.place(copy)
                yield SharedModel(place=place, name=to, other=of, copied=place)


def _is_part(model: str, name: str) -> bool:
    """Whether a model is what a name stands for, or a part of it."""
    return model == name or model.startswith((f"{name}.", f"{name}["))


def _itself(value: ast.expr) -> str | None:
    """The model that an expression is, without calls that return it; None for one that may be new."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in THE_SAME:
        value = value.func.value
    part = value
    while isinstance(part, ast.Attribute | ast.Subscript):
        if isinstance(part, ast.Subscript) and not isinstance(part.slice, ast.Constant):
            return None
        part = part.value
    return ast.unparse(value) if isinstance(part, ast.Name) else None


def _copied_before(
    context: Context, body: Sequence[ast.stmt], statement: ast.stmt, name: str, other: str
) -> Place | None:
    """Where the statement right before copies the parameters of ``other`` to the model that gives up its ``name``.

    Copied the other way round, they move to a model that takes the place of the old one.
    """
    position = body.index(statement)
    before = body[position - 1] if position else None
    copies = isinstance(before, ast.Expr) and copied_state(before.value) == (name, other)
    return context.snippet.place(before.value) if isinstance(before, ast.Expr) and copies else None


def _copied(context: Context, statement: ast.stmt, name: str, other: str) -> Place | None:
    """Where the code that sees both names copies the parameters of one to the other, if it binds each only once.

    In the same function, only what follows counts: before, they were two models.
    """
    snippet = context.snippet
    if context.cls is not None and name.startswith("self.") and other.startswith("self."):
        whole = context.module.quiet_snippet(context.cls.definition.start, context.cls.definition.end)
        snippet = whole if whole is not None else snippet
    copying = next(_copying(snippet, {name, other}), None)
    if copying is None or (snippet is context.snippet and begin(copying) < begin(statement)):
        return None
    bound = [
        ast.unparse(node)
        for node in snippet.nodes
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store)
    ]
    return snippet.place(copying) if bound.count(name) == 1 and bound.count(other) <= 1 else None


def _copying(snippet: Snippet, models: set[str]) -> Iterator[ast.expr]:
    """What copies the parameters of one of two models to the other."""
    for node in snippet.nodes:
        match _copied_models(node):
            case (to, of, copy) if {to, of} == models:
                yield copy


def _copied_models(node: ast.AST) -> tuple[str, str, ast.expr] | None:
    """The models to which and from which a call, or a loop over both, copies all parameters, and where it says so."""
    match node:
        case ast.For(iter=ast.Call(func=ast.Name(id="zip"), args=[first, second]) as pairs) if _writes(node):
            to, of = model_of_parameters(first), model_of_parameters(second)
            return (to, of, pairs) if to is not None and of is not None else None
        case ast.Call() if (copied := copied_state(node)) is not None:
            return (*copied, node)
    return None


def _writes(loop: ast.For) -> bool:
    """Whether a loop copies to what it walks over."""
    return any(
        (isinstance(node, ast.Attribute) and node.attr == "copy_")
        or (isinstance(node, ast.Attribute) and node.attr == "data" and isinstance(node.ctx, ast.Store))
        for node in nodes(loop)
    )
