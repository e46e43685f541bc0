"""The results of a function and its effects on its arguments, as far as its own source shows."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.source.snippets import FunctionNode


def own_nodes(function: FunctionNode) -> Iterator[ast.AST]:
    """Every node of a function, without those of functions and classes that are defined in it."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            pending += ast.iter_child_nodes(node)


def returns_nothing(function: FunctionNode) -> bool:
    """Whether a function certainly gives back None: it is plain, returns no value, and does something."""
    if isinstance(function, ast.AsyncFunctionDef) or function.decorator_list:
        return False
    for node in own_nodes(function):
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return False
        if isinstance(node, ast.Return) and not _is_none(node.value):
            return False
    return not _is_abstract(function)


def _is_none(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value is None)


def _is_abstract(function: FunctionNode) -> bool:
    """Whether a body only raises, or says nothing: another class defines what the function does."""
    body = [
        statement
        for statement in function.body
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
    ]
    return all(isinstance(statement, ast.Raise | ast.Pass) for statement in body)
