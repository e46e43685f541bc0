"""What a source file is, once it was read: its bytes, its text, and where what is seen in the text stands in it."""

from __future__ import annotations

import re

import msgspec

from initaudit.finding import Place

_NEWLINE = re.compile(r"\r\n|\n|\r")


class SourceError(Exception):
    """A file that cannot be read, or whose bytes are no text; ``row`` is the line at which it stops being text."""

    def __init__(self, filename: str, detail: str, row: int = 1) -> None:
        super().__init__(filename, detail, row)
        self.filename = filename
        self.detail = detail
        self.row = row

    def __str__(self) -> str:
        return f"{self.filename}: {self.detail}"


class Part(msgspec.Struct, frozen=True):
    """A stretch of a document that holds Python: a cell, or the whole of a Markdown file (``cell`` None).

    ``first`` is the row of the Python text that its first row is, ``text`` what stands in the document, and ``shifts``
    how many columns each of its rows stands further to the right there; none where they are all zero.
    """

    cell: int | None
    first: int
    text: str
    shifts: tuple[int, ...] = ()

    def shift(self, row: int) -> int:
        """How much further to the right a row of this part stands in the document."""
        return self.shifts[row - 1] if row <= len(self.shifts) else 0


class Unread(msgspec.Struct, frozen=True):
    """A cell or a block that is not read, and why."""

    place: Place
    reason: str


class SourceFile(msgspec.Struct, frozen=True):
    """A file, its bytes, and its Python with newlines kept as they are and without the byte order mark.

    A document (a notebook, Markdown) has ``parts``, and its ``text`` is the Python in it. A place in that text is
    ``shown`` to the user as a place in the document, and ``located`` in the text again.

    ``faults`` are the cells that are not Python, by their places in the text; ``skipped`` is what was left out though
    it may be Python, by its place in the document.
    """

    filename: str
    raw: bytes
    text: str
    encoding: str  # "utf-8-sig" for a file that begins with a byte order mark
    parts: tuple[Part, ...] = ()
    faults: tuple[Unread, ...] = ()
    skipped: tuple[Unread, ...] = ()

    @property
    def whole(self) -> str:
        """What is in the file, Python or not."""
        return self.raw.decode(self.encoding) if self.parts else self.text

    def part(self, cell: int | None) -> str:
        """What stands in a cell; without one, in the file."""
        return next((part.text for part in self.parts if part.cell == cell), self.whole)

    def shown(self, place: Place) -> Place:
        """Where a place of the Python text stands in the document. It ends, at the latest, where its part does."""
        part = next((part for part in reversed(self.parts) if part.first <= place.row), None)
        if part is None:
            return place
        row, end_row, end_column = place.row - part.first + 1, place.end_row - part.first + 1, place.end_column
        rows = lines(part.text)
        if end_row > len(rows):
            end_row, end_column = len(rows), len(rows[-1]) + 1
        else:
            end_column += part.shift(end_row)
        column = max(place.column + part.shift(row), 1)
        return Place(place.filename, row, column, end_row, max(end_column, 1), part.cell)

    def located(self, place: Place) -> Place:
        """The place of the Python text that is shown as this one."""
        part = next((part for part in self.parts if part.cell == place.cell), None)
        if part is None:
            return place
        before = part.first - 1
        column, end_column = place.column - part.shift(place.row), place.end_column - part.shift(place.end_row)
        return Place(place.filename, place.row + before, column, place.end_row + before, end_column)

    def encode(self, text: str) -> bytes:
        """``text`` as bytes of this file: its encoding, and its byte order mark if it has one."""
        return text.encode(self.encoding)


def lines(text: str) -> list[str]:
    r"""The lines of ``text`` without newlines, split where the tokenizer splits: at ``\n``, ``\r\n`` and ``\r``.

    A form feed or U+2028 does not end a line, as it does for ``str.splitlines``.
    """
    return text.split("\n") if "\r" not in text else _NEWLINE.split(text)


def line_starts(text: str) -> list[int]:
    """The offset in code points at which each line of ``text`` begins."""
    return [0, *(match.end() for match in _NEWLINE.finditer(text))]


def newline_of(text: str) -> str:
    r"""The newline that ``text`` uses first; ``\n`` when it has none."""
    match = _NEWLINE.search(text)
    return match.group() if match else "\n"
