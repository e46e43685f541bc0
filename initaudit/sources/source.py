"""A source file: its bytes, its text, and the mapping of places between the text and the file."""

from __future__ import annotations

import re

import msgspec

from initaudit.finding import Place

_NEWLINE = re.compile(r"\r\n|\n|\r")


class SourceError(Exception):
    """A file cannot be read or decoded; ``row`` is the first line that cannot be decoded."""

    def __init__(self, filename: str, detail: str, row: int = 1) -> None:
        super().__init__(filename, detail, row)
        self.filename = filename
        self.detail = detail
        self.row = row

    def __str__(self) -> str:
        return f"{self.filename}: {self.detail}"


class Part(msgspec.Struct, frozen=True):
    """A part of a document that holds Python: a cell, or the whole of a Markdown file (``cell`` None).

    ``first`` is the row of its start in the Python text, ``text`` its text in the document, and ``shifts`` the number
    of columns that each row is further to the right in the document; empty if all are zero.
    """

    cell: int | None
    first: int
    text: str
    shifts: tuple[int, ...] = ()

    def shift(self, row: int) -> int:
        """Return how many columns further to the right a row of this part is in the document."""
        return self.shifts[row - 1] if row <= len(self.shifts) else 0


class Unread(msgspec.Struct, frozen=True):
    """A skipped cell or block, and why it was skipped; ``python_2`` says that its notebook is for Python 2."""

    place: Place
    reason: str
    python_2: bool = False


class SourceFile(msgspec.Struct, frozen=True):
    """A file, its bytes, and its Python with unchanged newlines and without the byte order mark.

    A document (a notebook, Markdown) has ``parts``, and its ``text`` is the Python in it. ``shown`` maps a place in
    that text to the place in the document; ``located`` is the inverse.

    ``faults`` are the cells that are not Python, by their places in the text; ``skipped`` are the parts that may be
    Python and were skipped, by their places in the document.
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
        """The text of the file, Python or not."""
        return self.raw.decode(self.encoding) if self.parts else self.text

    def part(self, cell: int | None) -> str:
        """Return the text of a cell; without one, of the file."""
        return next((part.text for part in self.parts if part.cell == cell), self.whole)

    def shown(self, place: Place) -> Place:
        """Map a place in the Python text to the document. It ends, at the latest, where its part ends."""
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
        """Map a place in the document to the Python text."""
        part = next((part for part in self.parts if part.cell == place.cell), None)
        if part is None:
            return place
        before = part.first - 1
        column, end_column = place.column - part.shift(place.row), place.end_column - part.shift(place.end_row)
        return Place(place.filename, place.row + before, column, place.end_row + before, end_column)

    def encode(self, text: str) -> bytes:
        """Encode ``text`` as this file, with its byte order mark if it has one."""
        return text.encode(self.encoding)


def lines(text: str) -> list[str]:
    r"""Return the lines of ``text`` without newlines, split where the tokenizer splits: at ``\n``, ``\r\n`` and ``\r``.

    Unlike for ``str.splitlines``, a form feed or U+2028 does not end a line.
    """
    return text.split("\n") if "\r" not in text else _NEWLINE.split(text)


def line_starts(text: str) -> list[int]:
    """Return the offset in code points at which each line of ``text`` begins."""
    return [0, *(match.end() for match in _NEWLINE.finditer(text))]


def newline_of(text: str) -> str:
    r"""Return the newline that ``text`` uses first; ``\n`` if it has none."""
    match = _NEWLINE.search(text)
    return match.group() if match else "\n"
