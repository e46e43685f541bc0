"""Slices of a file as libcst trees, with every position a position in the real file.

libcst is precise and slow, so it sees one function, one class header or one statement at a time. Positions are computed only for slices
in which something is reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from initaudit.finding import Place


class FragmentError(Exception):
    """A slice that does not parse on its own."""


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
            self._positions = MetadataWrapper(self.tree, unsafe_skip_copy=True).resolve(PositionProvider)
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
