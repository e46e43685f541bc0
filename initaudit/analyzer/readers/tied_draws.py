"""Two names of one tensor that two different draws reach."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.snippets import dotted
from initaudit.analyzer.syntax.context import Context, in_order, own_attribute
from initaudit.analyzer.syntax.structure import Attribute, constructed
from initaudit.analyzer.syntax.walks import Initialized, walked, written
from initaudit.subjects.weights import TiedDraw


@reads(TiedDraw, scope=Context, words="weight", nearby="apply( modules(", named="__init__")
def tied_draws(context: Context) -> Iterator[TiedDraw]:
    """In a constructor: a tie, and a walk behind it that draws one of the two anew, by its kind."""
    function, cls = context.function, context.cls
    if function is None or cls is None or function.name != "__init__":
        return
    structure = constructed(context.project, cls)
    for position, statement in enumerate(function.body):
        tied = _tie(statement)
        if tied is None:
            continue
        for later in function.body[position + 1 :]:
            for walk in walked(context, later):
                for one, other in (tied, tied[::-1]):
                    again = _drawn_as(walk.writes, context, structure, one)
                    if again is None:
                        continue
                    by_kind = _drawn_as(walk.writes, context, structure, other)
                    first = _drawn_before(context, function.body, other) if by_kind is None else None
                    if first is not None and _differs(first, again.node):
                        yield TiedDraw(
                            place=context.snippet.place(later),
                            model=cls.qualname,
                            name=f"{one}.weight",
                            other=f"{other}.weight",
                            tie=context.snippet.source(statement),
                            tied=context.snippet.place(statement),
                            first=context.snippet.source(first),
                            by=walk.context.snippet.source(again.node),
                        )


def _tie(statement: ast.stmt) -> tuple[str, str] | None:
    """The attributes whose weights a statement makes one: ``self.head.weight = self.embedding.weight``."""
    match statement:
        case ast.Assign(
            targets=[ast.Attribute(value=one, attr="weight")], value=ast.Attribute(value=other, attr="weight")
        ):
            names = own_attribute(one), own_attribute(other)
            return (names[0], names[1]) if names[0] is not None and names[1] is not None else None
    return None


def _drawn_as(
    writes: Sequence[Initialized], context: Context, structure: dict[str, Attribute], name: str
) -> Initialized | None:
    """The write of a walk that reaches the weight of an attribute, by the kind of its only layer."""
    held = structure.get(name)
    if held is None or not held.complete or len(held.layers) != 1:
        return None
    return next(
        (
            write
            for write in writes
            if write.attribute == "weight" and (write.kinds or write.names) and write.meant_for(context, held.layers[0])
        ),
        None,
    )


def _drawn_before(context: Context, body: Sequence[ast.stmt], name: str) -> ast.Call | None:
    """The call of the constructor that draws the weight of an attribute on purpose."""
    for statement in in_order(body):
        match statement:
            case ast.Expr(value=ast.Call() as call):
                target = written(context, call)
                if (
                    isinstance(target, ast.Attribute)
                    and target.attr == "weight"
                    and own_attribute(target.value) == name
                ):
                    return call
    return None


def _differs(first: ast.Call, again: ast.Call) -> bool:
    """Whether two draws are not the same function with the same numbers."""
    return _drawn(first) != _drawn(again)


def _drawn(call: ast.Call) -> tuple[str, tuple[str, ...]]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func)
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return name, tuple(ast.unparse(value) for value in given if "weight" not in ast.unparse(value))
