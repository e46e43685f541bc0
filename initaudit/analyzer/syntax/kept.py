"""Whether anything takes tensors out of a dictionary or a list again that a scope puts into it, or writes in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initaudit.analyzer.source.snippets import nodes
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meaning import Step, targets
from initaudit.analyzer.syntax.scopes import scopes
from initaudit.analyzer.syntax.walks import written

OVER = {"enumerate", "list", "len", "range", "sorted", "reversed"}


def collection(target: ast.expr, step: Step) -> ast.Name | None:
    """Return the name of the collection that an item comes from: ``states[key]``, or what a loop binds from it."""
    match target:
        case ast.Subscript(value=ast.Name() as owner):
            return owner
        case ast.Name(id=name):
            loops = (loop for loop in step.rounds if isinstance(loop, ast.For) and name in targets(loop.target))
            return next((_walked(loop.iter) for loop in loops), None)
    return None


def is_used(context: Context, name: str) -> bool:
    """Whether what a collection holds may be taken out of it, or the collection is given to something."""
    harmless: set[ast.expr] = set()
    loops = 0
    for node in context.walk():
        match node:
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=put) as owner)], value=value) if put == name:
                harmless |= {owner, *(each for each in ast.walk(value) if isinstance(each, ast.Name))}
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="update", value=ast.Name(id=put) as owner))):
                harmless.add(owner)
            case ast.Expr(value=ast.Call() as call):
                match written(context, call):
                    case ast.Subscript(value=ast.Name() as owner):
                        harmless.add(owner)
                    case _:
                        pass
            case ast.For(iter=over, body=body) if (walked := _walked(over)) is not None and walked.id == name:
                loops += 1
                if set(_loads(body, targets(node.target))) <= _unread(context, body):
                    harmless.add(walked)
            case ast.If(test=test):
                harmless |= {each for each in nodes(test) if isinstance(each, ast.Name)}
    return loops > 1 or any(isinstance(each.ctx, ast.Load) and each not in harmless for each in context.named(name))


def _walked(over: ast.expr) -> ast.Name | None:
    """Return the name of the collection that a loop goes over, or over the numbers of its items."""
    match over:
        case ast.Name():
            return over
        case ast.Call(func=ast.Name(id=by), args=[inner]) if by in OVER:
            return _walked(inner)
        case ast.Call(func=ast.Attribute(attr="items" | "keys" | "values", value=inner), args=[]):
            return _walked(inner)
    return None


def _loads(body: Sequence[ast.stmt], names: set[str]) -> Iterator[ast.Name]:
    for statement in body:
        for node in nodes(statement):
            if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load):
                yield node


def _unread(context: Context, body: Sequence[ast.stmt]) -> set[ast.Name]:
    """Return the names in tests, in items that are put anew, and in statements that only write a tensor in place."""
    harmless: set[ast.Name] = set()
    for statement in body:
        for node in nodes(statement):
            match node:
                case ast.If(test=inner) | ast.Assign(targets=[ast.Subscript(value=ast.Name())], value=inner):
                    pass
                case ast.Expr(value=ast.Call() as inner) if written(context, inner) is not None:
                    pass
                case ast.Subscript(value=ast.Name(), slice=inner):
                    pass
                case _:
                    continue
            harmless |= {each for each in nodes(inner) if isinstance(each, ast.Name)}
    return harmless


def read_outside(context: Context, name: str) -> bool:
    """Whether something else in the file may read a name of its top-level code."""
    if context.function is not None:
        return False
    module = context.module
    for scope in scopes(module):
        if scope.start == context.snippet.start or not any(
            name in row for row in module.lines[scope.start - 1 : scope.end]
        ):
            continue
        snippet = module.snippet(scope.start, scope.end)
        if snippet is None or any(isinstance(each, ast.Name) and each.id == name for each in snippet.nodes):
            return True
    return False


def read_by_closures(context: Context, name: str) -> bool:
    """Whether a function that is defined in the scope reads a name."""
    return any(
        isinstance(inner, ast.Name) and inner.id == name and isinstance(inner.ctx, ast.Load)
        for node in context.walk()
        if isinstance(node, ast.FunctionDef | ast.Lambda) and node is not context.function
        for inner in nodes(node)
    )
