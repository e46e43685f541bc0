"""Loops over a model: what they iterate over, and their loop variables."""

from __future__ import annotations

import ast

from initaudit.analyzer.source.snippets import last_name
from initaudit.subjects.loops import Iterates

ITERATIONS = {iterates.value: iterates for iterates in Iterates}
WRAPPERS = {"enumerate", "list", "tuple", "reversed", "sorted"}
Loop = ast.For | ast.AsyncFor


def iterated(loop: Loop) -> tuple[ast.expr, Iterates] | None:
    """The model a loop goes over, and what of it."""
    iterable = loop.iter
    while isinstance(iterable, ast.Call) and last_name(iterable.func) in WRAPPERS and iterable.args:
        iterable = iterable.args[0]
    if isinstance(iterable, ast.Call) and isinstance(iterable.func, ast.Attribute):
        kind = ITERATIONS.get(iterable.func.attr)
        if kind is not None:
            return iterable.func.value, kind
    return None


def element_name(loop: Loop, kind: Iterates) -> str | None:
    """The variable that is bound to the parameter or module itself."""
    target: ast.expr | None = loop.target
    if isinstance(loop.iter, ast.Call) and last_name(loop.iter.func) == "enumerate":
        target = _second(target)
    if kind.value.startswith("named_"):
        target = _second(target)
    return target.id if isinstance(target, ast.Name) else None


def _second(target: ast.expr | None) -> ast.expr | None:
    """The second of two targets."""
    return target.elts[1] if isinstance(target, ast.Tuple) and len(target.elts) == 2 else None
