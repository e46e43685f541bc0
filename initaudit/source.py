"""Source files as text: decoded the way Python decodes them, encoded back without losing a byte.

Knows encodings, byte order marks and newlines; knows nothing about what the text says.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable
from pathlib import Path

import msgspec

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


class SourceFile(msgspec.Struct, frozen=True):
    """A file, its bytes, and its text with newlines kept as they are and without the byte order mark."""

    filename: str
    raw: bytes
    text: str
    encoding: str  # "utf-8-sig" for a file that begins with a byte order mark

    def encode(self, text: str) -> bytes:
        """``text`` as bytes of this file: its encoding, and its byte order mark if it has one."""
        return text.encode(self.encoding)


def read_source(filename: str) -> SourceFile:
    """Read and decode a file; raises SourceError when it cannot be read or decoded."""
    try:
        raw = Path(filename).read_bytes()
    except OSError as error:
        raise SourceError(filename, error.strerror or str(error)) from error
    return decode_source(filename, raw)


def decode_source(filename: str, raw: bytes) -> SourceFile:
    """Decode ``raw`` by its byte order mark, its coding cookie (PEP 263), or as UTF-8."""
    if raw.isascii() and b"coding" not in raw:
        return SourceFile(filename, raw, raw.decode("ascii"), "utf-8")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        text = raw.decode(encoding)
    except SyntaxError as error:
        raise SourceError(filename, error.msg) from error
    except UnicodeDecodeError as error:
        row = raw.count(b"\n", 0, error.start) + 1
        raise SourceError(filename, f"byte 0x{raw[error.start]:02x} is not {encoding} text", row) from error
    except LookupError as error:  # a codec that is known but does not make text, such as rot13
        raise SourceError(filename, str(error)) from error
    return SourceFile(filename, raw, text, encoding)


def lines(text: str) -> list[str]:
    r"""The lines of ``text`` without newlines, split where the tokenizer splits: at ``\n``, ``\r\n`` and ``\r``.

    A form feed or U+2028 does not end a line, as it does for ``str.splitlines``.
    """
    return _NEWLINE.split(text)


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
        self._lines: dict[str, list[str]] = {}

    def get(self, filename: str) -> SourceFile | None:
        """The file; None when it cannot be read or decoded."""
        if filename not in self._files:
            try:
                self._files[filename] = read_source(filename)
            except SourceError:
                self._files[filename] = None
        return self._files[filename]

    def lines(self, filename: str) -> list[str]:
        """The lines of a file; none when it cannot be read."""
        if filename not in self._lines:
            source = self.get(filename)
            self._lines[filename] = lines(source.text) if source else []
        return self._lines[filename]

    def line(self, filename: str, row: int) -> str:
        """One line of a file; empty when there is none."""
        text = self.lines(filename)
        return text[row - 1] if 0 < row <= len(text) else ""
