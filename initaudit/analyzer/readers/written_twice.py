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
from initaudit.analyzer.usage import usage
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


@reads(Overwritten, scope=Context, words=("_(", "Linear( Conv1d( Conv2d( Conv3d( Embedding("), nearby="nn")
def replaced(context: Context) -> Iterator[Overwritten]:
    """``nn.init.zeros_(net.fc.bias)`` and then ``net.fc = nn.Linear(...)``, with nothing of the model between them."""
    for step in Meanings(context).steps():
        first = _written(context, step.statement)
        layer = first.value if isinstance(first, ast.Attribute) and first.attr in ("weight", "bias") else None
        if not isinstance(layer, ast.Attribute) or step.guarded:
            continue
        again = _replaced(context, step, layer)
        if again is not None:
            yield Overwritten(
                observer=Observer.ANALYZER,
                place=context.snippet.place(step.statement),
                source=context.snippet.source(step.statement),
                by=context.snippet.source(again),
                at_once=True,
                replaces=True,
                again=context.snippet.place(again),
                model=context.cls.qualname if context.cls is not None else None,
                parameter=ast.unparse(first).removeprefix("self.") if first is not None else None,
            )


def _replaced(context: Context, step: Step, layer: ast.Attribute) -> ast.Assign | None:
    """The statement behind that puts a new layer in the place of another, where only writes stand between."""
    root = dotted(layer).partition(".")[0]
    for later in step.after:
        match later:
            case ast.Assign(targets=[target], value=ast.Call(func=made)) if dotted(target) == dotted(layer):
                kind = (context.canonical(made) or "").removeprefix("torch.nn.")
                return later if kind in torch_api.SIZES and dotted(layer) not in usage([later.value]).dotted else None
        names = {node.id for node in ast.walk(later) if isinstance(node, ast.Name)}
        if root in names and _written(context, later) is None:
            return None
    return None


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
