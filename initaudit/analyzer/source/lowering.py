"""libcst nodes -> the trees of Python's own ``ast``, each node linked back to the libcst node that it was made from.

A table maps the name of a libcst node to the function that lowers it; ``expressions``, ``strings``, ``statements`` and
``patterns`` fill it. A lowered tree equals the one that Python's parser gives (``ast.dump``), positions included. What
the ``ast`` of some Python has no node for is lowered to the nearest meaning: type parameters are left out and
``type X = Y`` is an assignment, on every Python alike; ``except*`` is an ``except`` before Python 3.11; a template
string is a formatted one.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, cast

if TYPE_CHECKING:
    import libcst as cst
    from libcst.metadata import CodePosition, CodeRange

Handler = Callable[["Lowering", Any], ast.AST]
H = TypeVar("H", bound=Callable[..., ast.AST])

_HANDLERS: dict[str, Handler] = {}
LOAD, STORE, DELETE = ast.Load(), ast.Store(), ast.Del()


class Span(TypedDict):
    """Where a node stands, as ``ast`` has it: rows from 1, columns in bytes of UTF-8 from 0."""

    lineno: int
    col_offset: int
    end_lineno: int
    end_col_offset: int


class LoweringError(Exception):
    """A libcst node that no function lowers."""


def lowers(*names: str) -> Callable[[H], H]:
    """Register a function as the one that lowers the libcst nodes of some types."""

    def register(function: H) -> H:
        _HANDLERS.update(dict.fromkeys(names, function))
        return function

    return register


class Lowering:
    """One text: where its libcst nodes stand."""

    def __init__(self, module: cst.Module, positions: Mapping[cst.CSTNode, CodeRange], text: str) -> None:
        self.module = module
        self.lines = text.split("\n")
        self._positions = positions
        self._ascii = text.isascii()

    def body(self, statements: Sequence[cst.CSTNode]) -> list[ast.stmt]:
        """Lower a sequence of statements; one line may hold several."""
        found: list[ast.stmt] = []
        for statement in statements:
            if type(statement).__name__ in ("SimpleStatementLine", "SimpleStatementSuite"):
                found += [
                    cast("ast.stmt", self._lower(each)) for each in cast("cst.SimpleStatementLine", statement).body
                ]
            else:
                found.append(cast("ast.stmt", self._lower(statement)))
        return found

    def suite(self, block: cst.BaseSuite) -> list[ast.stmt]:
        """Lower an indented block, or what follows a colon in the same line."""
        return self.body(block.body if type(block).__name__ == "IndentedBlock" else [block])

    def expression(self, node: cst.CSTNode) -> ast.expr:
        return cast("ast.expr", self._lower(node))

    def optional(self, node: cst.CSTNode | None) -> ast.expr | None:
        return None if node is None else self.expression(node)

    def target(self, node: cst.CSTNode, context: ast.expr_context = STORE) -> ast.expr:
        """Lower what is assigned to or deleted."""
        return in_context(self.expression(node), context)

    def pattern(self, node: cst.CSTNode) -> ast.pattern:
        return cast("ast.pattern", self._lower(node))

    def _lower(self, node: cst.CSTNode) -> ast.AST:
        handler = _HANDLERS.get(type(node).__name__)
        if handler is None:
            raise LoweringError(f"{type(node).__name__} at line {self.at(node)['lineno']}")
        return handler(self, node)

    # Where nodes stand

    def at(self, node: cst.CSTNode) -> Span:
        """Return where a node stands, without the parentheses around it."""
        return self._span(self._positions[node].start, self._positions[node].end)

    def between(self, first: cst.CSTNode, last: cst.CSTNode) -> Span:
        """Return the span from the beginning of one node to the end of another, parentheses around them included."""
        opening, closing = parentheses(first)[0], parentheses(last)[1]
        start = self._positions[opening[0] if opening else first].start
        return self._span(start, self._positions[closing[-1] if closing else last].end)

    def inside_parentheses(self, node: cst.CSTNode) -> Span:
        """Return where a node stands that its innermost parentheses are a part of, such as a tuple."""
        opening, closing = parentheses(node)
        if not opening:
            return self.at(node)
        return self._span(self._positions[opening[-1]].start, self._positions[closing[0]].end)

    def ends(self, node: cst.CSTNode) -> CodePosition:
        """Return where a node and the parentheses around it end."""
        closing = parentheses(node)[1]
        return self._positions[closing[-1] if closing else node].end

    def _span(self, start: CodePosition, end: CodePosition) -> Span:
        return Span(
            lineno=start.line,
            col_offset=self._offset(start.line, start.column),
            end_lineno=end.line,
            end_col_offset=self._offset(end.line, end.column),
        )

    def _offset(self, row: int, column: int) -> int:
        """Return a column as Python's parser counts it, in bytes."""
        if self._ascii or (line := self.lines[row - 1]).isascii():
            return column
        return len(line[:column].encode())


def parentheses(node: cst.CSTNode) -> tuple[Sequence[cst.LeftParen], Sequence[cst.RightParen]]:
    """Return the parentheses around a node: the outermost of the left ones first, of the right ones last."""
    return getattr(node, "lpar", ()), getattr(node, "rpar", ())


def in_context(node: ast.expr, context: ast.expr_context) -> ast.expr:
    """Say of an expression, and of those that it unpacks, that it is assigned to or deleted."""
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Starred | ast.List | ast.Tuple):
        node.ctx = context
    if isinstance(node, ast.Starred):
        in_context(node.value, context)
    elif isinstance(node, ast.List | ast.Tuple):
        for each in node.elts:
            in_context(each, context)
    return node
