"""Branches of a constructor that no program of an application takes, by what the calls of the class give."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from initaudit.analyzer.programs.lookups import found_by_text, imported_by_text, importing
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.readers.applications import is_alone, is_of_an_application
from initaudit.analyzer.readers.builds import all_handed
from initaudit.analyzer.source.snippets import nodes
from initaudit.finding import Place
from initaudit.naming import blocks


def untaken(project: Project, cls: Defined, row: int) -> Place | None:
    """The rows of the branch around a row of a constructor, if no call of the class leads there."""
    definition = cls.definition.members.get("__init__")
    found = cls.module.function(definition) if definition is not None and not definition.is_class else None
    if found is None:
        return None
    snippet, constructor = found
    block: Sequence[ast.stmt] | None = constructor.body
    while block is not None:
        statement = next((each for each in block if _holds(snippet.place(each), row)), None)
        inner = list(blocks(statement)) if statement is not None else []
        block = next((each for each in inner if any(_holds(snippet.place(one), row) for one in each)), None)
        if block is None or not isinstance(statement, ast.If):
            continue
        name = _only_name(statement.test)
        if name and _leads_to(project, cls, name, statement.test) == {block is not statement.body}:
            first, last = snippet.place(block[0]), snippet.place(block[-1])
            return Place(first.filename, first.row, 1, last.end_row, 1)
    return None


def _holds(place: Place, row: int) -> bool:
    return place.row <= row <= place.end_row


def _only_name(test: ast.expr) -> str:
    """The one name that a test is about; empty for a test of more."""
    names = {node.id for node in nodes(test) if isinstance(node, ast.Name)}
    return names.pop() if len(names) == 1 else ""


def _leads_to(project: Project, cls: Defined, name: str, test: ast.expr) -> set[bool | None]:
    """What a test of an argument is, each time that the project makes an object; None where that is not known."""
    if not is_of_an_application(project, cls.module, outside=True) and not is_alone(project, cls.module):
        return {None}
    files = importing(project, cls.module)
    derived = any(True for module in files for _ in project.descendants(cls, module))
    if derived or found_by_text(project, files, {cls.definition.name}) or imported_by_text(project, files):
        return {None}
    return {_truth(test, given) for given in all_handed(project, cls, name)}


COMPARISONS: dict[type[ast.cmpop], Callable[[object, object], bool]] = {
    ast.Is: lambda a, b: a is b,
    ast.IsNot: lambda a, b: a is not b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
}


def _truth(test: ast.expr, given: ast.expr | None) -> bool | None:
    """What a test of a name is if it has some value; None where that is not known."""
    match test, given:
        case ast.Name(), ast.Constant(value=value):
            return bool(value)
        case ast.UnaryOp(op=ast.Not(), operand=inner), _:
            truth = _truth(inner, given)
            return None if truth is None else not truth
        case ast.Compare(left=ast.Name(), ops=[op], comparators=[ast.Constant(value=other)]), ast.Constant(value=value):
            compare = COMPARISONS.get(type(op))
            return compare(value, other) if compare is not None else None
    return None
