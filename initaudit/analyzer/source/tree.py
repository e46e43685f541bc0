"""A whole file as one syntax tree, from which slices are taken: it is parsed once, whoever reads which part of it."""

from __future__ import annotations

import ast
import bisect
from collections.abc import Sequence

from initaudit.analyzer.source.snippets import FunctionNode, chosen, statements
from initaudit.naming import blocks


class Tree:
    """The tree of a file, and the parts of it by the rows that they take up; raises what Python's parser raises."""

    def __init__(self, text: str) -> None:
        self.body = chosen(statements(text), text)
        self.functions: list[FunctionNode] = []
        self._definitions: dict[tuple[int, int], ast.stmt] = {}
        self._begins = [_first_row(statement) for statement in self.body]
        pending = [*self.body]
        while pending:
            statement = pending.pop()
            if type(statement) in _SIMPLE:
                continue
            if isinstance(statement, FunctionNode | ast.ClassDef):
                self._definitions[_first_row(statement), _last_row(statement)] = statement
            if isinstance(statement, FunctionNode):
                self.functions.append(statement)
            for block in blocks(statement):
                pending += block

    def statements(self, start: int, end: int) -> Sequence[ast.stmt] | None:
        """Return the definition, or the statements of the top level, in some rows; None for any other rows."""
        if (definition := self._definitions.get((start, end))) is not None:
            return [definition]
        first, behind = bisect.bisect_left(self._begins, start), bisect.bisect_right(self._begins, end)
        goes_on = any(_last_row(self.body[at - 1]) >= row for at, row in ((first, start), (behind, end + 1)) if at > 0)
        return None if goes_on else self.body[first:behind]


_SIMPLE = {ast.Expr, ast.Assign, ast.Return, ast.AnnAssign, ast.AugAssign, ast.Raise, ast.Assert, ast.Import}
"""Most of the statements that hold no others."""


def _first_row(statement: ast.stmt) -> int:
    """The row of the first decorator, or of the statement."""
    decorators = getattr(statement, "decorator_list", ())
    return decorators[0].lineno if decorators else statement.lineno


def _last_row(statement: ast.stmt) -> int:
    return statement.end_lineno or statement.lineno
