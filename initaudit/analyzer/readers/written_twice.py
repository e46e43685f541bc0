"""Parameters that one statement writes in full, and the next but for others once more."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.snippets import dotted
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meaning import Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.walks import written
from initaudit.finding import Observer
from initaudit.subjects.order import Overwritten

IN_FULL = {"normal_", "uniform_", "zero_", "fill_", "zeros_", "ones_", "constant_"} | {
    "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_", "trunc_normal_",
}  # fmt: skip


@reads(Overwritten, scope=Context, words=" ".join(f"{name}(" for name in sorted(IN_FULL)), nearby="nn")
def written_twice(context: Context) -> Iterator[Overwritten]:
    """``init.ones_(m.weight)`` and ``init.zeros_(m.weight)`` with nothing between them but writes of others."""
    meanings = Meanings(context)
    for step in meanings.steps():
        first = _written(context, step.statement)
        if first is None or (again := _again(context, step, first)) is None:
            continue
        meaning = meanings.meaning(first, step.names)
        if meaning is not None and meaning.what is What.PARAMETER:
            yield Overwritten(
                observer=Observer.ANALYZER,
                place=context.snippet.place(step.statement),
                source=context.snippet.source(step.statement),
                by=context.snippet.source(again),
                at_once=True,
                again=context.snippet.place(again),
                model=context.cls.qualname if context.cls is not None else None,
                parameter=context.snippet.source(first).removeprefix("self."),
            )


def _written(context: Context, statement: ast.stmt) -> ast.expr | None:
    """What a statement writes in full, and nothing else."""
    match statement:
        case ast.Expr(value=ast.Call(func=function) as call):
            name = function.attr if isinstance(function, ast.Attribute) else dotted(function)
            known = (context.canonical(function) or torch_api.INIT).startswith(torch_api.INIT)
            return written(context, call) if name in IN_FULL and known else None
    return None


def _again(context: Context, step: Step, first: ast.expr) -> ast.stmt | None:
    """The statement behind that writes the same in full, where only writes of other things stand between."""
    for later in step.after:
        target = _written(context, later)
        if target is None:
            return None
        if ast.dump(target) == ast.dump(first):
            given = later.value.args if isinstance(later, ast.Expr) and isinstance(later.value, ast.Call) else []
            reads = [each for each in given if each is not target and ast.dump(first) in ast.dump(each)]
            return later if len(reads) <= int(bool(given) and ast.dump(first) in ast.dump(given[0])) else None
    return None
