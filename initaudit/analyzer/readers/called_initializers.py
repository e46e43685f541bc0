"""``net.apply(init())``: an initializer that is called where it should have been handed over."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import FunctionNode
from initaudit.analyzer.syntax.context import Context, named_function
from initaudit.analyzer.syntax.functions import returns_nothing
from initaudit.subjects.initializers import CalledInitializer


@reads(CalledInitializer, scope=Context, words="apply(")
def called_initializers(context: Context) -> Iterator[CalledInitializer]:
    """Calls of ``apply`` whose only argument is a call of a function that returns nothing."""
    for call in context.calls():
        match call:
            case ast.Call(func=ast.Attribute(attr="apply"), args=[ast.Call() as inner], keywords=[]):
                function = called_function(context, inner)
                if function is not None and returns_nothing(function):
                    yield CalledInitializer(
                        place=context.snippet.place(inner),
                        call=context.snippet.source(inner),
                        fixed=context.snippet.source(inner.func),
                    )


def called_function(context: Context, call: ast.Call) -> FunctionNode | None:
    """The function of the project, or the method of the class, that a call runs."""
    if isinstance(call.func, ast.Name):
        for node in context.walk():
            if isinstance(node, ast.FunctionDef) and node is not context.function and node.name == call.func.id:
                return node
    found = named_function(context, call.func)
    return found.function if found is not None else None
