"""Initializers that leave a parameter alone when it is sharded: as it is after a build on meta."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import dotted, last_name
from initaudit.analyzer.syntax.context import Context, in_order
from initaudit.analyzer.syntax.walks import tested, written
from initaudit.finding import Observer
from initaudit.subjects.lost_on_meta import NotRestored
from initaudit.timeline import Kind

SHARDED = "DTensor"


@reads(NotRestored, scope=Context, words=SHARDED, named="init reset")
def skipped_when_sharded(context: Context) -> Iterator[NotRestored]:
    """Parameters that an initializer writes unless they are a ``DTensor``."""
    if context.function is not None and context.function.name != "__init__":
        yield from _skipped(context, context.function.body, None)


def _skipped(context: Context, body: list[ast.stmt], model: str | None) -> Iterator[NotRestored]:
    for statement in body:
        if not isinstance(statement, ast.If):
            for inner in (statement.body,) if isinstance(statement, ast.With | ast.For) else ():
                yield from _skipped(context, inner, model)
            continue
        tensor = _sharded(statement.test)
        if tensor is None:
            kinds = tested(context, statement.test)
            yield from _skipped(context, statement.body, kinds[0] if kinds else model)
            yield from _skipped(context, statement.orelse, model)
            continue
        negated = isinstance(statement.test, ast.UnaryOp)
        plain, sharded = (statement.body, statement.orelse) if negated else (statement.orelse, statement.body)
        owner = model if model is not None else context.cls.qualname if context.cls is not None else None
        if owner is not None and _writes(context, plain, tensor) and not _writes(context, sharded, tensor):
            assert context.definition is not None
            yield NotRestored(
                observer=Observer.ANALYZER,
                place=context.snippet.place(statement.test),
                model=owner,
                name=tensor.attr,
                kind=Kind.PARAMETER,
                by=f"{context.module.name}.{context.definition.qualname}",
                unless=context.snippet.source(statement.test),
            )


def _sharded(test: ast.expr) -> ast.Attribute | None:
    """The parameter of which a test asks whether it is sharded, or whether it is not."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test = test.operand
    match test:
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Attribute() as tensor, kind]):
            return tensor if last_name(kind) == SHARDED else None
    return None


def _writes(context: Context, body: list[ast.stmt], tensor: ast.Attribute) -> bool:
    """Whether some statement writes a parameter in place."""
    return any(
        isinstance(node, ast.Call) and dotted(target) == dotted(tensor)
        for statement in in_order(body)
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and (target := written(context, node)) is not None
    )
