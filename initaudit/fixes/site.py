"""The code around a finding, parsed by libcst: a function, or a statement outside of functions."""

from __future__ import annotations

import ast
import difflib
import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, ParentNodeProvider, PositionProvider

from initaudit.finding import Edit, Place
from initaudit.fixes import NoFixError
from initaudit.fixes.imports import statements_of
from initaudit.sources.newer_python import nests_too_deep
from initaudit.sources.source import line_starts

Change = Callable[[cst.CSTNode], "cst.CSTNode | cst.FlattenSentinel[cst.CSTNode] | cst.RemovalSentinel"]
Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement
N = TypeVar("N", bound=cst.CSTNode)
_INDENTED = re.compile(r"^([ \t]+)\S", re.MULTILINE)


class Site:
    """The statement at a place of a text, or the function ``around`` it, parsed; raises NoFixError where it cannot be.

    An indented part stands under a header of its own (``if 1:``), as a slice does.
    """

    def __init__(self, text: str, place: Place, *, around: bool) -> None:
        self.place = place
        self.lines = text.split("\n")
        self.start, self.end = _rows_around(text, self.lines, place, whole=around)
        part = "\n".join(self.lines[self.start - 1 : self.end]) + "\n"
        self._indented = part[:1] in " \t"
        code = f"if 1:\n{part}" if self._indented else part
        if nests_too_deep(code):
            raise NoFixError("nests too deep")
        try:
            wrapper = MetadataWrapper(cst.parse_module(code), unsafe_skip_copy=True)
        except cst.ParserSyntaxError as error:
            raise NoFixError(str(error)) from error
        self.tree = wrapper.module
        self._positions: Mapping[cst.CSTNode, CodeRange] = wrapper.resolve(PositionProvider)
        self.parents: Mapping[cst.CSTNode, cst.CSTNode] = wrapper.resolve(ParentNodeProvider)
        first = _INDENTED.search(text)
        self.indent = first[1] if first and set(first[1]) == {"\t"} else first[1][:4] if first else "    "

    def _span(self, place: Place) -> tuple[int, int, int, int]:
        shift = self.start - 1 - int(self._indented)
        return place.row - shift, place.column - 1, place.end_row - shift, place.end_column - 1

    def within(self, node: cst.CSTNode, kind: type[N]) -> Iterator[N]:
        """Yield every node of a kind in another one, the outer before the inner."""
        if isinstance(node, kind):
            yield node
        for child in node.children:
            yield from self.within(child, kind)

    def at(self, place: Place, kind: type[N]) -> N:
        """Return the outermost node of a kind that stands exactly at a place."""
        row, column, end_row, end_column = self._span(place)
        for node in self.within(self.tree, kind):
            span = self._positions[node]
            if (span.start.line, span.start.column) == (row, column) and (span.end.line, span.end.column) == (
                end_row,
                end_column,
            ):
                return node
        raise NoFixError("the code is not there")

    @functools.cached_property
    def statement(self) -> Statement:
        """The innermost statement that the place lies in."""
        return self.statement_at(self.place)

    def statement_at(self, place: Place) -> Statement:
        """Return the innermost statement that a place lies in."""
        row, column, _, _ = self._span(place)
        found: Statement | None = None
        for node in self.within(self.tree, cst.CSTNode):  # type: ignore[type-abstract]
            if isinstance(node, cst.SimpleStatementLine | cst.BaseCompoundStatement):
                span = self._positions[node]
                if (span.start.line, span.start.column) <= (row, column) <= (span.end.line, span.end.column):
                    found = node
        if found is None or (found is self.tree.body[0] and self._indented):
            raise NoFixError("no statement is there")
        return found

    def block(self, statement: cst.CSTNode) -> cst.IndentedBlock | cst.Module:
        """Return the block that a statement stands in."""
        block = self.parents[statement]
        if not isinstance(block, cst.IndentedBlock | cst.Module):
            raise NoFixError("the statement shares its line with others")
        return block

    def above(self, node: cst.CSTNode, kind: type[N]) -> N:
        """Return the innermost node of a kind around another one."""
        while node in self.parents:
            node = self.parents[node]
            if isinstance(node, kind):
                return node
        raise NoFixError(f"no {kind.__name__} is around")

    def text(self, node: cst.CSTNode) -> str:
        return self.tree.code_for_node(node)

    # What is changed

    def edits(self, changes: Mapping[cst.CSTNode, Change]) -> tuple[Edit, ...]:
        """Return the edits of the text for some changes. Comments that would go stand above the statement instead."""
        changed = self.tree.visit(_Swap(changes))
        lost = _comments(self.tree) - _comments(changed)
        if lost:
            above = [cst.EmptyLine(comment=cst.Comment(each)) for each in lost.elements()]
            inner = changes.get(self.statement)
            changed = self.tree.visit(_Swap({**changes, self.statement: lambda node: _headed(node, above, inner)}))
        before = self.tree.code.split("\n")[int(self._indented) :]
        return tuple(self._hunks(before, changed.code.split("\n")[int(self._indented) :]))

    def _hunks(self, before: list[str], after: list[str]) -> Iterator[Edit]:
        """Yield what differs, in as few characters as rows allow."""
        matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
        for kind, low, high, start, stop in matcher.get_opcodes():
            if kind == "equal":
                continue
            if kind == "insert" and low > 0:  # at the end of a row: the next one may be in another cell
                row, end = self.start + low - 1, len(before[low - 1]) + 1
                place = Place(self.place.filename, row, end, row, end)
                yield Edit("".join(f"\n{each}" for each in after[start:stop]), place)
                continue
            old, new = ("".join(f"{row}\n" for row in rows) for rows in (before[low:high], after[start:stop]))
            head = _common(old, new)
            tail = _common(old[head:][::-1], new[head:][::-1])
            starts, row = line_starts(old), self.start + low
            yield Edit(new[head : len(new) - tail], self._place(starts, row, head, len(old) - tail))

    def _place(self, starts: Sequence[int], row: int, begin: int, end: int) -> Place:
        """Return where a stretch of some rows stands in the text."""
        first = max(index for index, start in enumerate(starts) if start <= begin)
        last = max(index for index, start in enumerate(starts) if start <= end)
        return Place(
            self.place.filename, row + first, begin - starts[first] + 1, row + last, end - starts[last] + 1, None
        )


class _Swap(cst.CSTTransformer):
    """Makes a change of each of some nodes, once what is inside of it is changed."""

    def __init__(self, changes: Mapping[cst.CSTNode, Change]) -> None:
        super().__init__()
        self._changes = changes

    def on_leave(self, original_node: cst.CSTNode, updated_node: cst.CSTNode) -> cst.CSTNode:  # type: ignore[override]
        change = self._changes.get(original_node)
        return updated_node if change is None else change(updated_node)  # type: ignore[return-value]


def _headed(node: cst.CSTNode, above: list[cst.EmptyLine], change: Change | None) -> cst.CSTNode:
    """Return a statement with comments above it."""
    headed = node.with_changes(leading_lines=[*above, *node.leading_lines])  # type: ignore[attr-defined]
    return headed if change is None else change(headed)  # type: ignore[return-value]


def _comments(node: cst.CSTNode) -> Counter[str]:
    """Return the comments in some code, and how often each stands there."""
    found: list[str] = []
    pending = [node]
    while pending:
        each = pending.pop()
        if isinstance(each, cst.Comment):
            found.append(each.value)
        pending += each.children
    return Counter(found)


def _common(one: str, other: str) -> int:
    """Return the length of the longest text that both begin with."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _rows_around(text: str, lines: Sequence[str], place: Place, *, whole: bool) -> tuple[int, int]:
    """Return the rows of the innermost statement around a place; ``whole``, those of the innermost function.

    A statement that shares its first row with what it stands in is taken together with that.
    """
    body = statements_of(text)
    if body is None:
        return 1, text.count("\n") + 1  # what this Python does not parse, libcst may
    path = list(_statements_at(body, place.row))
    functions: list[ast.stmt] = [each for each in path if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    outer = [each for each in path if not isinstance(each, ast.ClassDef)]
    chosen = functions[-1:] or outer[:1] if whole else [each for each in outer if _stands_alone(each, lines)][-1:]
    if not chosen:
        raise NoFixError("no statement is there")
    return _rows(chosen[0])


def _stands_alone(statement: ast.stmt, lines: Sequence[str]) -> bool:
    """Whether a statement begins the row that it begins in, and is no branch of the one around it."""
    code = lines[statement.lineno - 1].encode()
    return not code[: statement.col_offset].strip() and not (
        isinstance(statement, ast.If) and code[statement.col_offset :].startswith(b"elif")
    )


def _rows(statement: ast.stmt) -> tuple[int, int]:
    """Return the rows of a statement with its decorators."""
    first = min([statement.lineno, *(each.lineno for each in getattr(statement, "decorator_list", ()))])
    return first, statement.end_lineno or first


def _statements_at(nodes: Iterable[ast.AST], row: int) -> Iterator[ast.stmt]:
    """Yield the statements that a row lies in, the outer before the inner."""
    for node in nodes:
        if isinstance(node, ast.stmt):
            first, last = _rows(node)
            if not first <= row <= last:
                continue
            yield node
        if isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
            yield from _statements_at(ast.iter_child_nodes(node), row)
