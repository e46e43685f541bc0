"""Two names of one tensor that two different draws reach."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.usage import usage
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import last_name
from initaudit.analyzer.syntax.context import Context, in_order, method, own_attribute
from initaudit.analyzer.syntax.structure import Attribute, constructed
from initaudit.analyzer.syntax.walks import Initialized, Walk, walked, written
from initaudit.finding import Place
from initaudit.subjects.weights import TiedDraw

TYING = re.compile(r"tie|tying|shar(?:e|ing)", re.IGNORECASE)
"""What a condition says that decides whether weights are tied at all."""


@reads(TiedDraw, scope=Context, words=("=weight", ".weight="), named="__init__")
@reads(TiedDraw, scope=Context, words=("Parameter(", ".weight="), named="__init__")
@reads(TiedDraw, scope=Context, words=(".data=", "normal_( uniform_( orthogonal_("), named="__init__")
def tied_draws(context: Context) -> Iterator[TiedDraw]:
    """In a constructor: a tie, and what draws or replaces one of the two anew behind it."""
    function, cls = context.function, context.cls
    if function is None or cls is None or function.name != "__init__":
        return
    structure = constructed(context.project, cls)
    for position, statement in enumerate(function.body):
        tied = tie(statement)
        if tied is None:
            continue
        again = _Tie(context, cls.qualname, statement, *tied)
        later = function.body[position + 1 :]
        yield from again.by_hand(function.body[:position], later)
        for each in later:
            for walk in walked(context, each):
                yield from again.by_walk(walk, each, function.body, structure)


class _Drawn(NamedTuple):
    """A statement that draws, or replaces, the weight of an attribute by its name."""

    name: str
    context: Context
    node: ast.Call | ast.Assign


class _Tie:
    """A tie of the weights of two attributes. ``other``'s is the tensor that stays."""

    def __init__(self, context: Context, model: str, statement: ast.stmt, one: str, other: str) -> None:
        self.context = context
        self.model = model
        self.statement = statement
        self.names = one, other

    def by_hand(self, before: Sequence[ast.stmt], later: Sequence[ast.stmt]) -> Iterator[TiedDraw]:
        """What draws the one and then, differently, the other, each by its name; and what ends the tie."""
        kept = [each for each in _by_name(self.context, before, self.names) if each.name == self.names[1]]
        drawn = [each for each in kept if isinstance(each.node, ast.Call)]
        for each in _by_name(self.context, later, self.names):
            node = each.node
            if isinstance(node, ast.Assign) and any(map(self._is_again, in_order(later))):
                return
            if isinstance(node, ast.Assign):
                yield self.fact(each.context.snippet.place(node), each.name, "", each.context.snippet.source(node))
                return
            first = next((one for one in reversed(drawn) if one.name != each.name), None)
            if first is not None and isinstance(first.node, ast.Call) and _differs(first.node, node):
                lost, by = first.context.snippet.source(first.node), each.context.snippet.source(node)
                yield self.fact(each.context.snippet.place(node), each.name, lost, by)
                return
            drawn.append(each)

    def _is_again(self, statement: ast.stmt) -> bool:
        """Whether a statement ties the same two."""
        return set(tie(statement) or ()) == set(self.names)

    def by_walk(
        self, walk: Walk, later: ast.stmt, body: Sequence[ast.stmt], structure: dict[str, Attribute]
    ) -> Iterator[TiedDraw]:
        """A walk that draws one of the two by its kind, where the other was drawn by its name or its own kind."""
        left, right = (_drawn_as(walk.writes, self.context, structure, name) for name in self.names)
        place, order = self.context.snippet.place(later), list(structure)
        pairs = ((self.names, left, right), (self.names[::-1], right, left))
        for (one, other), again, first in pairs:
            if again is None:
                continue
            if first is None:
                before = _drawn_before(self.context, body, other)
                if before is not None and _differs(before, again.node):
                    by = walk.context.snippet.source(again.node)
                    yield self.fact(place, one, self.context.snippet.source(before), by)
            elif order.index(one) > order.index(other) and _differs(first.node, again.node):
                lost, by = walk.context.snippet.source(first.node), walk.context.snippet.source(again.node)
                yield self.fact(walk.context.snippet.place(again.node), one, lost, by)

    def fact(self, place: Place, name: str, first: str, by: str) -> TiedDraw:
        other = self.names[0] if name == self.names[1] else self.names[1]
        return TiedDraw(
            place=place,
            model=self.model,
            name=f"{name}.weight",
            other=f"{other}.weight",
            tie=self.context.snippet.source(self.statement),
            tied=self.context.snippet.place(self.statement),
            first=first,
            by=by,
        )


def _by_name(context: Context, body: Sequence[ast.stmt], names: tuple[str, str], depth: int = 0) -> Iterator[_Drawn]:
    """What a body, and the methods of the object that it calls, surely draw of the two, and what they may replace."""
    for statement in body:
        match statement:
            case ast.With(body=inner):
                yield from _by_name(context, inner, names, depth)
            case ast.If(test=test, body=then, orelse=otherwise) if not usage([test]).says(TYING):
                inside = [*_by_name(context, then, names, depth), *_by_name(context, otherwise, names, depth)]
                yield from (each for each in inside if isinstance(each.node, ast.Assign))  # the tie ends where it runs
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name))) if depth < 2:
                called = method(context, name)
                if called is not None and called.function is not None:
                    yield from _by_name(called, called.function.body, names, depth + 1)
            case ast.Expr(value=ast.Call() as call):
                target = written(context, call)
                of = own_attribute(target.value) if isinstance(target, ast.Attribute) else None
                if isinstance(target, ast.Attribute) and target.attr == "weight" and of in names:
                    yield _Drawn(str(of), context, call)
            case ast.Assign(targets=[ast.Attribute(value=owner, attr="weight")], value=ast.Call(func=made)):
                of = own_attribute(owner)
                if of in names and context.canonical(made) == "torch.nn.Parameter" and not _keeps(statement, names):
                    yield _Drawn(str(of), context, statement)
            case ast.Assign(targets=[target], value=ast.Call(func=made)) if (of := own_attribute(target)) in names:
                kind = (context.canonical(made) or "").removeprefix("torch.nn.").removesuffix(".from_pretrained")
                if kind in torch_api.SIZES and not _keeps(statement, names):
                    yield _Drawn(str(of), context, statement)


def _keeps(statement: ast.Assign, names: tuple[str, str]) -> bool:
    """Whether a new parameter is made of what one of the two holds."""
    return any(own_attribute(node) in names for node in ast.walk(statement.value))


def tie(statement: ast.stmt) -> tuple[str, str] | None:
    """The attributes whose weights a statement makes one: ``self.head.weight = self.embedding.weight``."""
    match statement:
        case ast.Assign(targets=[target], value=ast.Call(func=made, args=[value])) if last_name(made) == "Parameter":
            names, whole = (_of_weight(target), _of_weight(_untransposed(value))), True  # of the same memory
        case ast.Assign(targets=[target], value=value):
            names = _of_weight(target), _of_weight(_untransposed(value))
            whole = isinstance(target, ast.Attribute) and (target.attr == "data" or value is _untransposed(value))
        case _:
            return None
    return (names[0], names[1]) if whole and names[0] is not None and names[1] is not None else None


def _of_weight(node: ast.expr) -> str | None:
    """The attribute of the object whose weight, or the data of it, an expression is."""
    if isinstance(node, ast.Attribute) and node.attr == "data":
        node = node.value
    return own_attribute(node.value) if isinstance(node, ast.Attribute) and node.attr == "weight" else None


def _untransposed(node: ast.expr) -> ast.expr:
    """What ``w.t()``, ``w.T`` and ``w.transpose(0, 1)`` are a view of."""
    match node:
        case ast.Attribute(value=inner, attr="T" | "mT"):
            return inner
        case ast.Call(func=ast.Attribute(value=inner, attr="t" | "transpose")):
            return inner
    return node


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
    name = last_name(call.func)
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return name, tuple(ast.unparse(value) for value in given if "weight" not in usage([value]).names)
