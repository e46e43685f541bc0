"""Loops over an iterator of parameters that something else has used up."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import Snippet, dotted, nodes
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meaning import ITERATORS, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.finding import Observer
from initaudit.subjects.loops import Iterates, ModelLoop

LAZY = {"filter", "map", "iter", "enumerate", "zip"}
"""Functions that give an iterator, which can be gone through once."""
WHOLE = {"list", "tuple", "set", "dict", "sorted", "sum", "max", "min", "len"}
"""Functions that go through all that they are given."""
OF_PARAMETERS = {What.PARAMETERS: Iterates.PARAMETERS, What.NAMED_PARAMETERS: Iterates.NAMED_PARAMETERS}


@reads(ModelLoop, scope=Context, words=("parameters(", "for"))
def used_up_iterators(context: Context) -> Iterator[ModelLoop]:
    """``params = net.parameters()``, a loop or an optimizer that takes all of them, and then another loop over it."""
    meanings = Meanings(context)
    for step in meanings.steps():
        match step.statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_lazy(value):
                source = value.generators[0].iter if isinstance(value, ast.GeneratorExp) else value
                found = meanings.meaning(source, step.names)
            case _:
                continue
        kind = OF_PARAMETERS.get(found.what) if found is not None else None
        first: ast.stmt | None = None
        for statement in step.after if found is not None and kind is not None else ():
            mentions = [node for node in nodes(statement) if isinstance(node, ast.Name) and node.id == name]
            if not mentions:
                continue
            if first is not None and isinstance(statement, ast.For) and statement.iter in mentions:
                yield ModelLoop(
                    observer=Observer.ANALYZER,
                    place=context.snippet.place(statement.iter),
                    model=name,
                    iterates=kind or Iterates.PARAMETERS,
                    effect=True,
                    used_up=context.snippet.place(first),
                )
            if first is not None or len(mentions) > 1 or not _takes_all(context, statement, mentions[0]):
                break
            first = statement


def _is_lazy(value: ast.expr) -> bool:
    """Whether an expression gives an iterator, and no collection."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        return value.func.attr in ITERATORS
    return isinstance(value, ast.GeneratorExp) or (isinstance(value, ast.Call) and dotted(value.func) in LAZY)


def _takes_all(context: Context, statement: ast.stmt, name: ast.Name) -> bool:
    """Whether a statement surely goes through all items of an iterator."""
    if isinstance(statement, ast.For):
        stops = any(isinstance(node, ast.Break | ast.Return | ast.Raise) for node in nodes(statement))
        return statement.iter is name and not stops
    if not isinstance(statement, ast.Expr | ast.Assign):
        return False
    return _is_taken(context, context.snippet, name)


def _is_taken(context: Context, snippet: Snippet, node: ast.AST) -> bool:
    """Whether what stands around an iterator takes all of it: a list, a sum over it, an optimizer."""
    match snippet.parents.get(node):
        case ast.Call(func=function, args=[first, *_]) if first is node:
            return dotted(function) in WHOLE or (context.canonical(function) or "").startswith("torch.optim.")
        case ast.comprehension(iter=iterated) as part if iterated is node:
            match snippet.parents.get(part):
                case ast.ListComp() | ast.SetComp() | ast.DictComp():
                    return True
                case ast.GeneratorExp() as whole:
                    return _is_taken(context, snippet, whole)
                case _:
                    return False
    return False
