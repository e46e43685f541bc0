"""Statements that write a copy of a parameter, and drop it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.syntax.context import Context, own_attribute
from initaudit.analyzer.syntax.meaning import What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.walks import written
from initaudit.finding import Observer
from initaudit.subjects.lost_writes import CopyWrite

COPIES = {"clone", "repeat"}
CONVERSIONS = {"float", "double", "half", "bfloat16", "to", "cpu", "cuda", "type"}
"""Methods that give back the same tensor when there is nothing to convert."""
WRITES = torch_api.OVERWRITES | torch_api.PARTIAL_WRITES


@reads(
    CopyWrite,
    scope=Context,
    words=(
        "_(",
        "clone( repeat( float( double( half( bfloat16( to( cpu( cuda( type( [",
    ),
)
def copy_writes(context: Context) -> Iterator[CopyWrite]:
    """In-place writes of copies, whose results are dropped."""
    meanings = Meanings(context)
    for step in meanings.steps():
        if not isinstance(step.statement, ast.Expr) or not isinstance(step.statement.value, ast.Call):
            continue
        call = step.statement.value
        target = written(context, call)
        initializer = context.canonical(call.func)
        of_tensor = isinstance(call.func, ast.Attribute) and call.func.attr in WRITES
        if target is None or not (of_tensor or (initializer or "").startswith(torch_api.INIT)):
            continue
        copied = _copied(target)
        if copied is None:
            continue
        parameter, how = copied
        meaning = meanings.meaning(parameter, step.names)
        if meaning is not None and meaning.what is What.PARAMETER:
            own = own_attribute(parameter)
            yield CopyWrite(
                observer=Observer.ANALYZER,
                place=context.snippet.place(call),
                target=context.snippet.source(parameter),
                how=how,
                certain=how.strip("`") not in CONVERSIONS,
                model=context.cls.qualname if own is not None and context.cls is not None else None,
                parameter=own,
            )


def _copied(target: ast.expr) -> tuple[ast.expr, str] | None:
    """What a written expression is a copy of, and what copies."""
    how: str | None = None
    while True:
        match target:
            case ast.Call(func=ast.Attribute(value=inner, attr=name)) if name in COPIES:
                target, how = inner, f"`{name}`"
            case ast.Call(func=ast.Attribute(value=inner, attr=name)) if name in CONVERSIONS:
                target, how = inner, how or f"`{name}`"
            case ast.Call(func=ast.Attribute(value=inner, attr=name)) if name in torch_api.WHOLE_VIEWS:
                target = inner
            case ast.Subscript(value=inner, slice=index):
                target, how = inner, "an index" if _copies(index) else how
            case ast.Attribute(value=inner, attr=name) if name in torch_api.VIEW_ATTRIBUTES:
                target = inner
            case _:
                return (target, how) if how is not None else None


def _copies(index: ast.expr) -> bool:
    """Whether an index selects elements one by one: a list of them, or a mask."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    return any(isinstance(part, ast.List | ast.Compare) for part in parts)
