"""What the code of a file gives to a function of the same file: by calling it, or by handing it to ``apply``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from initaudit.analyzer.snippets import dotted
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meaning import Meaning
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.scopes import scopes_holding


class Given(NamedTuple):
    """What a caller gives as the first argument: an expression, and what that stands for there."""

    context: Context
    node: ast.expr
    meaning: Meaning | None


def given_to(context: Context, *, by_apply: bool) -> Iterator[Given]:
    """What the first parameter of a function gets from the calls, or from the ``apply``, in its own file."""
    definition = context.definition
    if definition is None:
        return
    for start, end, scope in scopes_holding(context.module, ((definition.name,),)):
        snippet = context.module.snippet(start, end)
        caller = replace(context, definition=scope, snippet=snippet) if snippet is not None else None
        if caller is None or scope == definition:
            continue
        meanings = Meanings(caller)
        for step in meanings.steps():
            for call in step.calls():
                node = _given(call, definition.name, by_apply=by_apply)
                if node is not None:
                    yield Given(caller, node, meanings.meaning(node, step.names))


def _given(call: ast.Call, name: str, *, by_apply: bool) -> ast.expr | None:
    match call:
        case ast.Call(func=ast.Attribute(attr="apply", value=owner), args=[handed]) if by_apply:
            return owner if dotted(handed).rpartition(".")[2] == name else None
        case ast.Call(func=function, args=[first, *_]) if not by_apply:
            return first if dotted(function).rpartition(".")[2] == name else None
    return None
