"""Resets that name one submodule twice and its sibling not at all."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.syntax.context import Context, initializes, own_attribute, own_attributes
from initaudit.analyzer.syntax.nested import REACHES_ALL
from initaudit.analyzer.syntax.structure import constructed
from initaudit.naming import blocks
from initaudit.subjects.order import RepeatedReset


@reads(RepeatedReset, scope=Context, words="_( init reset orthogonal", named="reset init")
def repeated_resets(context: Context) -> Iterator[RepeatedReset]:
    """Statements of a method that repeat what an earlier one does to a submodule, where a sibling is left out."""
    function, cls = context.function, context.cls
    if function is None or cls is None:
        return
    doubles = list(_doubles(function.body))
    if not doubles or _reaches_all(context):
        return
    structure = constructed(context.project, cls)
    made = {name: tuple((layer.made, layer.depth) for layer in one.layers) for name, one in structure.items()}
    done = {_done(statement) for statement in _statements(function.body)}
    for name, statement in doubles:
        siblings = [other for other, kinds in made.items() if kinds and kinds == made.get(name) and other != name]
        left = [other for other in siblings if _renamed(statement, name, other) not in done]
        if len(left) == 1 and (_unmentioned(function, left[0]) or _paired(function.body, name, left[0], done)):
            yield RepeatedReset(
                place=context.snippet.place(statement.iter if isinstance(statement, ast.For) else statement),
                model=cls.qualname,
                method=function.name,
                repeated=name,
                missed=left[0],
            )


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run whenever the function does, in order."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.With):
            for block in blocks(statement):
                yield from _statements(block)


def _doubles(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """The second of two equal statements that initialize one attribute."""
    seen: set[str] = set()
    for statement in _statements(body):
        named = own_attributes(statement)
        if len(named) != 1 or not isinstance(statement, ast.Expr | ast.For) or not initializes(statement):
            continue
        if (text := _done(statement)) in seen:
            yield named.pop(), statement
        seen.add(text)


def _done(statement: ast.stmt) -> str:
    """What a statement does, whatever its loop variable is called."""
    text = ast.dump(statement)
    if isinstance(statement, ast.For) and isinstance(statement.target, ast.Name):
        return text.replace(f"id='{statement.target.id}'", "id='each'")
    return text


def _renamed(statement: ast.stmt, name: str, other: str) -> str:
    return _done(statement).replace(f"attr='{name}'", f"attr='{other}'")


def _unmentioned(function: ast.AST, name: str) -> bool:
    return name not in own_attributes(function)


def _paired(body: list[ast.stmt], name: str, other: str, done: set[str]) -> bool:
    """Whether something else is done to both."""
    return any(
        own_attributes(statement) == {name} and _renamed(statement, name, other) in done
        for statement in _statements(body)
    )


def _reaches_all(context: Context) -> bool:
    """Whether the method goes over all modules of the object, or calls what may."""
    for call in context.calls():
        if isinstance(call.func, ast.Attribute) and (call.func.attr in REACHES_ALL or own_attribute(call.func)):
            return True
    return False
