"""What the code of a file gives to a function of the same file: by calling it, or by handing it to ``apply``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.source.snippets import handed_on, last_name, nodes, spelled
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meaning import Meaning, targets
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.scopes import scopes_holding


class Given(NamedTuple):
    """What a caller gives as the first argument: an expression, what that stands for there, and the statement."""

    context: Context
    node: ast.expr
    meaning: Meaning | None
    statement: ast.stmt


def given_to(context: Context, *, by_apply: bool) -> Iterator[Given]:
    """What the first parameter of a function gets from the calls, or from the ``apply``, in its own file."""
    definition = context.definition
    if definition is None:
        return
    for start, end, scope in scopes_holding(context.module, ((definition.name,),)):
        snippet = context.module.snippet(start, end)
        caller = replace(context, definition=scope, snippet=snippet) if snippet is not None else None
        if caller is None or scope == definition or _has_another(caller, context):
            continue
        meanings = Meanings(caller)
        for step in meanings.steps():
            for call in step.calls():
                node = _given(call, definition.name, by_apply=by_apply)
                if node is not None:
                    yield Given(caller, node, meanings.meaning(node, step.names), step.statement)


def _has_another(caller: Context, context: Context) -> bool:
    """Whether a method belongs to a class that has another method of the same name as a method."""
    cls, definition = caller.cls, context.definition
    if cls is None or context.cls is None or definition is None or cls == context.cls:
        return False
    own = caller.project.method(cls, definition.name)
    return isinstance(own, Defined) and own.definition != definition


def _given(call: ast.Call, name: str, *, by_apply: bool) -> ast.expr | None:
    match call:
        case ast.Call(func=ast.Attribute(attr="apply", value=owner), args=[handed]) if by_apply:
            return owner if last_name(handed_on(handed)) == name else None
        case ast.Call(func=function, args=[first, *_]) if not by_apply:
            return first if last_name(function) == name else None
    return None


def is_given_frozen(context: Context) -> bool:
    """Whether ``apply`` gives a function only models whose weights its callers freeze: what it draws is not trained."""
    given = list(given_to(context, by_apply=True))
    return bool(given) and all(spelled(each.node) in set(frozen(each.context)) for each in given)


def frozen(context: Context) -> Iterator[str]:
    """The models that some code freezes: by a method, or parameter by parameter in a loop."""
    for node in context.walk():
        match node:
            case (
                ast.For(target=target, iter=ast.Call(func=ast.Attribute(value=owner, attr=walk), args=[]))
                | ast.ListComp(
                    generators=[
                        ast.comprehension(
                            target=target, iter=ast.Call(func=ast.Attribute(value=owner, attr=walk), args=[])
                        )
                    ]
                )
            ) if walk in ("parameters", "named_parameters") and any(
                freezes(each) in targets(target) for each in nodes(node)
            ):
                yield spelled(owner)
            case (
                ast.Call(func=ast.Attribute(value=owner, attr="requires_grad_"))
                | ast.Assign(targets=[ast.Attribute(value=owner, attr="requires_grad")])
            ) if freezes(node) is not None:
                yield spelled(owner)
            case _:
                pass


def freezes(node: ast.AST) -> str | None:
    """The source of what a call or an assignment freezes."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=owner, attr="requires_grad_"), args=[ast.Constant(value=False)], keywords=[]
        ):
            return spelled(owner)
        case ast.Call(
            func=ast.Attribute(value=owner, attr="requires_grad_"),
            args=[],
            keywords=[ast.keyword(value=ast.Constant(value=False))],
        ):
            return spelled(owner)
        case ast.Assign(targets=[ast.Attribute(value=owner, attr="requires_grad")], value=ast.Constant(value=False)):
            return spelled(owner)
    return None
