"""Calls of initializers under names that torch has given up."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import msgspec

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import last_name
from initaudit.analyzer.syntax.context import Context
from initaudit.finding import Place
from initaudit.subjects.calls import DeprecatedCall


@reads(DeprecatedCall, scope=Context, words="uniform( normal( constant( eye( dirac( orthogonal( sparse(")
def deprecated_calls(context: Context) -> Iterator[DeprecatedCall]:
    """Calls of ``nn.init.xavier_normal`` and kin, which lack the underscore."""
    for call in context.calls():
        last = last_name(call.func)
        if last not in torch_api.OLD_INITIALIZERS and not isinstance(call.func, ast.Name):
            continue
        name = context.canonical(call.func)
        if (
            name is not None
            and name.startswith(torch_api.INIT)
            and name.removeprefix(torch_api.INIT) in torch_api.OLD_INITIALIZERS
        ):
            within = context.definition.qualname if context.definition is not None else ""
            place, renamed = context.snippet.place(call), _renamed(context, call.func)
            yield DeprecatedCall(place=place, name=renamed, function=name, within=within)


def _renamed(context: Context, function: ast.expr) -> Place | None:
    """Where the name of an initializer stands that is looked up in ``nn.init`` itself."""
    if not isinstance(function, ast.Attribute) or context.canonical(function.value) != torch_api.INIT.rstrip("."):
        return None
    place = context.snippet.place(function)
    return msgspec.structs.replace(place, row=place.end_row, column=place.end_column - len(function.attr))
