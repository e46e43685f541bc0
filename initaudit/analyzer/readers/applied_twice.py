"""Models that are given to two initializers, the second of which writes all that the first has written."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.written_twice import IN_FULL
from initaudit.analyzer.source.snippets import dotted, last_name
from initaudit.analyzer.syntax.context import Context, Placed, all_blocks
from initaudit.analyzer.syntax.walks import Initialized, Walk, applied
from initaudit.finding import Observer
from initaudit.subjects.order import Overwritten


@reads(Overwritten, scope=Context, words="apply(", nearby="nn")
def applied_twice(context: Context) -> Iterator[Overwritten]:
    """``self.features.apply(init)`` and ``self.features.apply(small)``, with nothing of the model between them."""
    for block in all_blocks(context):
        for at, each in enumerate(block):
            first, again = _applies(each.node), _again(block[at + 1 :], each.node)
            if first is not None and again is not None and _overwrites(again, applied(each.context, first)):
                yield Overwritten(
                    observer=Observer.ANALYZER,
                    place=again.context.snippet.place(again.node),
                    source=each.context.snippet.source(each.node),
                    by=again.context.snippet.source(again.node),
                    again=each.context.snippet.place(each.node),
                    at_once=True,
                )


def _applies(statement: ast.stmt) -> ast.Call | None:
    """The call of a statement that gives a function to all modules of a model."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="apply", value=owner), args=[_]) as call) if dotted(owner):
            return call
    return None


def _again(later: Sequence[Placed], first: ast.stmt) -> Placed | None:
    """The statement behind that goes over the same model, where only other models are gone over between."""
    model = _model(first)
    for each in later:
        if not _model(each.node):
            return None
        if _model(each.node) == model:
            return each
    return None


def _model(statement: ast.stmt) -> str:
    call = _applies(statement)
    return dotted(call.func.value) if call is not None and isinstance(call.func, ast.Attribute) else ""


def _overwrites(again: Placed, first: Walk | None) -> bool:
    """Whether another function writes all that one has written, of the same kinds of layers, in full."""
    call = _applies(again.node)
    second = applied(again.context, call) if call is not None else None
    if first is None or second is None or not first.writes or first.body == second.body:
        return False
    if not all(map(_asks_for_kinds, _tests(second.body))):
        return False
    return all(any(_covers(one, other) for one in second.writes) for other in first.writes)


def _covers(one: Initialized, other: Initialized) -> bool:
    same = one.attribute == other.attribute and bool(other.kinds) and set(other.kinds) <= set(one.kinds)
    return same and last_name(one.node.func) in IN_FULL


def _tests(body: Sequence[ast.stmt]) -> Iterator[ast.expr]:
    return (node.test for statement in body for node in ast.walk(statement) if isinstance(node, ast.If))


def _asks_for_kinds(test: ast.expr) -> bool:
    """``isinstance(m, nn.Linear)``, and whether there is a bias."""
    match test:
        case ast.Call(func=ast.Name(id="isinstance")):
            return True
        case ast.Compare(left=ast.Attribute(attr="bias"), ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return True
        case ast.BoolOp(op=ast.Or(), values=values):
            return all(map(_asks_for_kinds, values))
    return False
