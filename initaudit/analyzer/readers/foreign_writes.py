"""Functions for ``apply`` that write to another module than the one they are given."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import root
from initaudit.analyzer.syntax.context import Context, first_parameter
from initaudit.analyzer.syntax.functions import own_nodes
from initaudit.analyzer.syntax.meaning import bound_in
from initaudit.analyzer.syntax.walks import applied_names, written
from initaudit.subjects.lost_writes import ForeignWrite


@reads(ForeignWrite, scope=Context, words="_(", nearby="apply(")
def foreign_writes(context: Context) -> Iterator[ForeignWrite]:
    """``def init(m): nn.init.zeros_(net[0].bias)``, where ``m`` is asked for its type at most."""
    function, element = context.function, first_parameter(context)
    if function is None or element is None or context.cls is not None or function.name not in applied_names(context):
        return
    targets = [target for node in own_nodes(function) if (target := _parameter(context, node)) is not None]
    tests = {id(name) for node in own_nodes(function) if isinstance(node, ast.If) for name in ast.walk(node.test)}
    used = any(isinstance(each, ast.Name) and each.id == element and id(each) not in tests for each in context.walk())
    own = bound_in(function) | {"self"}
    roots = [first.id if (first := root(target)) is not None else "self" for target in targets]
    if targets and not used and own.isdisjoint(roots):
        yield ForeignWrite(
            place=context.snippet.place(targets[0]),
            function=function.name,
            element=element,
            target=context.snippet.source(targets[0]),
        )


def _parameter(context: Context, node: ast.AST) -> ast.Attribute | None:
    """The parameter of a layer that a call writes in place."""
    target = written(context, node) if isinstance(node, ast.Call) else None
    return target if isinstance(target, ast.Attribute) and target.attr in ("weight", "bias") else None
