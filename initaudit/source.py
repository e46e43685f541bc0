"""Source files as text: decoded the way Python decodes them, encoded back without losing a byte.

Knows encodings, byte order marks and newlines; knows nothing about what the text says.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tokenize
from collections.abc import Iterable, Iterator

import msgspec

from initaudit.finding import Place

DOCUMENTS = (".ipynb", ".md")
_NEWLINE = re.compile(r"\r\n|\n|\r")
held: dict[str, bytes] = {}
"""What is read in the place of files, by their real paths."""


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
    how many columns each of its rows is indented there.
    """

    cell: int | None
    first: int
    text: str
    shifts: tuple[int, ...] = ()

    def shift(self, row: int) -> int:
        """How far a row of this part is indented."""
        return self.shifts[row - 1] if row <= len(self.shifts) else 0


class SourceFile(msgspec.Struct, frozen=True):
    """A file, its bytes, and its Python with newlines kept as they are and without the byte order mark.

    A document (a notebook, Markdown) has ``parts``, and its ``text`` is the Python in it. A place in that text is
    ``shown`` to the user as a place in the document, and ``located`` in the text again.
    """

    filename: str
    raw: bytes
    text: str
    encoding: str  # "utf-8-sig" for a file that begins with a byte order mark
    parts: tuple[Part, ...] = ()

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
        return Place(place.filename, row, place.column + part.shift(row), end_row, end_column, part.cell)

    def located(self, place: Place) -> Place:
        """The place of the Python text that is shown as this one."""
        part = next((part for part in self.parts if part.cell == place.cell), None)
        if part is None:
            return place
        before = part.first - 1
        column, end_column = place.column - part.shift(place.row), place.end_column - part.shift(place.end_row)
        return Place(place.filename, place.row + before, column, place.end_row + before, end_column)

    def in_file(self, place: Place) -> Place:
        """Where the rows of a place stand in the file itself, whose rows are not those of its cells."""
        if place.cell is None:
            return place
        from initaudit.embedded import in_notebook

        return in_notebook(self, place)

    def encode(self, text: str) -> bytes:
        """``text`` as bytes of this file: its encoding, and its byte order mark if it has one."""
        return text.encode(self.encoding)


def read_source(filename: str) -> SourceFile:
    """Read and decode a file; raises SourceError when it cannot be read or decoded."""
    try:
        raw = read_bytes(filename)
    except OSError as error:
        raise SourceError(filename, error.strerror or str(error)) from error
    return decode_source(filename, raw)


def read_bytes(filename: str) -> bytes:
    """What is in a file, which is called for every file of a run: without a buffer, in half the calls to the system."""
    if held and (raw := held.get(os.path.realpath(filename))) is not None:
        return raw
    with open(filename, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read()


@contextlib.contextmanager
def holding(given: Iterable[SourceFile]) -> Iterator[None]:
    """Read these in the place of the files that they are named after, which need not exist."""
    paths = {os.path.realpath(source.filename): source.raw for source in given}
    held.update(paths)
    try:
        yield
    finally:
        for path in paths:
            del held[path]


def decode_source(filename: str, raw: bytes) -> SourceFile:
    """Decode ``raw`` by its byte order mark, its coding cookie (PEP 263), or as UTF-8; of a document, its Python."""
    if is_document(filename):
        from initaudit.embedded import embedded

        return embedded(filename, raw)
    if raw.isascii() and b"coding" not in raw:
        return SourceFile(filename, raw, raw.decode("ascii"), "utf-8")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        text = raw.decode(encoding)
        if not encoding.startswith("utf-8"):
            text.encode()  # some codecs make halves of characters
    except SyntaxError as error:
        raise SourceError(filename, error.msg) from error
    except UnicodeDecodeError as error:
        row = raw.count(b"\n", 0, error.start) + 1
        byte = raw[error.start : error.start + 1].hex()
        raise SourceError(filename, f"byte 0x{byte} is not {encoding} text", row) from error
    except (LookupError, UnicodeError) as error:  # a codec that is known but does not make text, such as rot13
        raise SourceError(filename, str(error)) from error
    return SourceFile(filename, raw, text, encoding)


def is_document(filename: str) -> bool:
    """Whether Python is only a part of what a file holds."""
    return filename.lower().endswith(DOCUMENTS)


def code_bytes(filename: str) -> bytes | None:
    """The bytes of the Python in a file; None when it has to be read to say why there are none."""
    try:
        raw = read_bytes(filename)
        if not is_document(filename):
            return raw
        return decode_source(filename, raw).text.encode() if b"torch" in raw else b""
    except (OSError, SourceError):
        return None


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


class Sources:
    """Files read once. What was given beforehand (standard input) is never read from disk."""

    def __init__(self, given: Iterable[SourceFile] = ()) -> None:
        self._files: dict[str, SourceFile | None] = {source.filename: source for source in given}
        self._lines: dict[tuple[str, int | None], list[str]] = {}

    def get(self, filename: str) -> SourceFile | None:
        """The file; None when it cannot be read or decoded."""
        if filename not in self._files:
            try:
                self._files[filename] = read_source(filename)
            except SourceError:
                self._files[filename] = None
        return self._files[filename]

    def lines(self, place: Place) -> list[str]:
        """The lines of the file, or of the cell, that a place is in; none when it cannot be read."""
        key = place.filename, place.cell
        if key not in self._lines:
            source = self.get(place.filename)
            self._lines[key] = lines(source.part(place.cell)) if source else []
        return self._lines[key]

    def line(self, place: Place) -> str:
        """The line that a place begins in; empty when there is none."""
        text = self.lines(place)
        return text[place.row - 1] if 0 < place.row <= len(text) else ""

    def text(self, place: Place) -> str:
        """What stands at a place."""
        rows = self.lines(place)[place.row - 1 : place.end_row]
        if len(rows) == place.end_row - place.row + 1:
            rows[-1] = rows[-1][: place.end_column - 1]
        return "\n".join([*(row[place.column - 1 :] for row in rows[:1]), *rows[1:]])

    def shown(self, place: Place) -> Place:
        """A place as the user knows it: in a cell, or in Markdown."""
        source = self.get(place.filename) if is_document(place.filename) else None
        return source.shown(place) if source else place

    def in_file(self, place: Place) -> Place:
        """A place as who knows no cells finds it, in the file; its begin when that cannot be read any longer."""
        source = self.get(place.filename) if place.cell is not None else None
        return source.in_file(place) if source else msgspec.structs.replace(place, cell=None)
