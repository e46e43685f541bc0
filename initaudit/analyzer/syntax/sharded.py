"""Initializers that leave a parameter alone when it is sharded: as it is after a build on meta."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.module import Module
from initaudit.analyzer.project import Project
from initaudit.analyzer.snippets import dotted
from initaudit.analyzer.syntax.code import Code, in_order
from initaudit.analyzer.syntax.units import units
from initaudit.analyzer.syntax.walks import tested, written
from initaudit.finding import Observer
from initaudit.subjects.lost_on_meta import NotRestored
from initaudit.timeline import Kind

SHARDED = "DTensor"


def skipped_when_sharded(project: Project, module: Module) -> Iterator[NotRestored]:
    """Parameters that an initializer writes unless they are a ``DTensor``."""
    if SHARDED not in module.text:
        return
    for start, end, definition in units(module):
        if definition is None or not ("init" in definition.name or "reset" in definition.name):
            continue
        snippet = module.snippet(start, end)
        code = Code(project, module, definition, snippet) if snippet is not None else None
        if code is not None and code.function is not None and definition.name != "__init__":
            yield from _skipped(code, code.function.body, None)


def _skipped(code: Code, body: list[ast.stmt], model: str | None) -> Iterator[NotRestored]:
    for statement in body:
        if not isinstance(statement, ast.If):
            for inner in (statement.body,) if isinstance(statement, ast.With | ast.For) else ():
                yield from _skipped(code, inner, model)
            continue
        tensor = _sharded(statement.test)
        if tensor is None:
            kinds = tested(code, statement.test)
            yield from _skipped(code, statement.body, kinds[0] if kinds else model)
            yield from _skipped(code, statement.orelse, model)
            continue
        negated = isinstance(statement.test, ast.UnaryOp)
        plain, sharded = (statement.body, statement.orelse) if negated else (statement.orelse, statement.body)
        owner = model if model is not None else code.cls.qualname if code.cls is not None else None
        if owner is not None and _writes(code, plain, tensor) and not _writes(code, sharded, tensor):
            assert code.definition is not None
            yield NotRestored(
                observer=Observer.ANALYZER,
                place=code.snippet.place(statement.test),
                model=owner,
                name=tensor.attr,
                kind=Kind.PARAMETER,
                by=f"{code.module.name}.{code.definition.qualname}",
                unless=code.snippet.source(statement.test),
            )


def _sharded(test: ast.expr) -> ast.Attribute | None:
    """The parameter of which a test asks whether it is sharded, or whether it is not."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test = test.operand
    match test:
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Attribute() as tensor, kind]):
            return tensor if dotted(kind).rpartition(".")[2] == SHARDED else None
    return None


def _writes(code: Code, body: list[ast.stmt], tensor: ast.Attribute) -> bool:
    """Whether some statement writes a parameter in place."""
    return any(
        isinstance(node, ast.Call) and dotted(target) == dotted(tensor)
        for statement in in_order(body)
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and (target := written(code, node)) is not None
    )
