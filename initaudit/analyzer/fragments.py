"""Slices of a file as libcst trees, with every position a position in the real file.

libcst is precise and slow, so it sees one function, one class header or one statement at a time. Positions are
computed only for slices in which something is reported.
"""

from __future__ import annotations

import symtable
import warnings
from collections.abc import Mapping, Sequence

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from initaudit.finding import Place

TOO_DEEP = "nests too deep to follow"


class FragmentError(Exception):
    """A slice that does not parse on its own."""


def symbols(text: str) -> symtable.SymbolTable | SyntaxError:
    """The scopes of some code, or why Python itself does not parse it.

    Twice as fast as a syntax tree, which Python would have to copy into objects of its own.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return symtable.symtable(text, "<source>", "exec")
    except SyntaxError as error:
        if "too many nested" in error.msg:
            error.msg = TOO_DEEP
        return error
    except (RecursionError, MemoryError):
        return SyntaxError(TOO_DEEP)
    except ValueError as error:
        return SyntaxError(str(error))


def _positions(tree: cst.Module) -> Mapping[cst.CSTNode, CodeRange]:
    try:
        return MetadataWrapper(tree, unsafe_skip_copy=True).resolve(PositionProvider)
    except (RecursionError, KeyError) as error:  # unwinding from the one, libcst runs into the other
        raise FragmentError(TOO_DEEP) from error


class Fragment:
    """The rows ``start`` to ``end`` of a file, parsed.

    An indented slice stands under a header of its own (``if 1:``), which shifts rows by one and leaves columns alone.
    """

    def __init__(self, filename: str, lines: Sequence[str], start: int, end: int) -> None:
        self.filename = filename
        self.start = start
        text = "\n".join(lines[start - 1 : end]) + "\n"
        self._shift = start - 1
        self._indented = text[:1] in " \t"
        if self._indented:
            text = "if 1:\n" + text
            self._shift -= 1
        scopes = symbols(text)
        if isinstance(scopes, SyntaxError) and scopes.msg == TOO_DEEP:
            raise FragmentError(TOO_DEEP)  # libcst's parser would not survive it
        try:
            self.tree = cst.parse_module(text)
        except (cst.ParserSyntaxError, RecursionError) as error:
            raise FragmentError(str(error)) from error
        self._positions: Mapping[cst.CSTNode, CodeRange] | None = None

    def body(self) -> Sequence[cst.BaseStatement]:
        """The statements of the slice."""
        if self._indented and isinstance(header := self.tree.body[0], cst.If):
            return [line for line in header.body.body if isinstance(line, cst.BaseStatement)]
        return [line for line in self.tree.body if isinstance(line, cst.BaseStatement)]

    def place(self, node: cst.CSTNode) -> Place:
        """Where a node of this slice stands in the file."""
        if self._positions is None:
            self._positions = _positions(self.tree)
        span = self._positions[node]
        return Place(
            self.filename,
            span.start.line + self._shift,
            span.start.column + 1,
            span.end.line + self._shift,
            span.end.column + 1,
        )

    def source(self, node: cst.CSTNode) -> str:
        """The node's text."""
        return self.tree.code_for_node(node)


def dotted(node: cst.BaseExpression) -> str:
    """The text of a dotted name."""
    if isinstance(node, cst.Attribute):
        return f"{dotted(node.value)}.{node.attr.value}"
    return node.value if isinstance(node, cst.Name) else ""


def has_decorator(node: cst.FunctionDef, *names: str) -> bool:
    """Whether a function has a decorator whose last name is one of these."""
    for decorator in node.decorators:
        inner = decorator.decorator.func if isinstance(decorator.decorator, cst.Call) else decorator.decorator
        if dotted(inner).rpartition(".")[2] in names:
            return True
    return False
