"""Read source files and decode them as Python does; for documents, extract the Python in them."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import shutil
import stat
import tempfile
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from initaudit.finding import Edit, Place
from initaudit.sources.source import SourceError, SourceFile, Unread, lines

NOTEBOOKS, MARKDOWN = ".ipynb", ".md"
_SAYS_PYTHON = re.compile(rb'"(?:name|language)"\s*:\s*"i?python')
held: dict[str, bytes] = {}
"""Texts that replace files, by the real paths of these."""


def read_source(filename: str) -> SourceFile:
    """Read and decode a file; raises SourceError if that fails."""
    try:
        raw = read_bytes(filename)
    except OSError as error:
        raise SourceError(filename, error.strerror or str(error)) from error
    return decode_source(filename, raw)


def read_bytes(filename: str) -> bytes:
    """Read a file without a buffer, which halves the system calls; this runs for every file."""
    if held and (raw := held.get(os.path.realpath(filename))) is not None:
        return raw
    with open(filename, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read()


def read_regular(path: Path) -> bytes:
    """Return the content of a regular file. Raises OSError, without waiting, for a pipe, a device or a folder."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "is a folder" if stat.S_ISDIR(mode) else "is a pipe or a device, and no file")
    return path.read_bytes()


def replace(path: Path, content: bytes) -> None:
    """Write a file atomically: readers see the old or the new content, even if this process is killed.

    A special file, such as a pipe, is written directly. The mode is kept.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        target.write_bytes(content)
        return
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        if target.exists():
            shutil.copymode(target, name)
        else:
            mask = os.umask(0)
            os.umask(mask)
            Path(name).chmod(0o666 & ~mask)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def holding(given: Iterable[SourceFile]) -> Iterator[None]:
    """Read these texts instead of the files of their names, which need not exist."""
    paths = {os.path.realpath(source.filename): source.raw for source in given}
    held.update(paths)
    try:
        yield
    finally:
        for path in paths:
            del held[path]


def decode_source(filename: str, raw: bytes) -> SourceFile:
    """Decode ``raw`` by its byte order mark, its coding cookie (PEP 263), or as UTF-8; extract Python of documents."""
    if filename.lower().endswith(NOTEBOOKS):
        from initaudit.sources.notebook import notebook

        return notebook(filename, raw)
    if filename.lower().endswith(MARKDOWN):
        from initaudit.sources.markdown import markdown

        return markdown(filename, raw)
    if raw.isascii() and b"coding" not in raw:
        return SourceFile(filename, raw, raw.decode("ascii"), "utf-8")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        text = raw.decode(encoding)
        if not encoding.startswith("utf-8"):
            text.encode()  # some codecs produce lone surrogates
    except SyntaxError as error:
        raise SourceError(filename, error.msg) from error
    except UnicodeDecodeError as error:
        row = raw.count(b"\n", 0, error.start) + 1
        byte = raw[error.start : error.start + 1].hex()
        raise SourceError(filename, f"byte 0x{byte} is not {encoding} text", row) from error
    except (LookupError, UnicodeError) as error:  # a known codec that does not decode to text, such as rot13
        raise SourceError(filename, str(error)) from error
    return SourceFile(filename, raw, text, encoding)


def is_document(filename: str) -> bool:
    """Whether Python is only a part of what a file holds."""
    return filename.lower().endswith((NOTEBOOKS, MARKDOWN))


def code_bytes(filename: str) -> bytes | None:
    """Return the bytes of the Python in a file; None if it has to be decoded to say why there are none."""
    try:
        raw = read_bytes(filename)
        if not is_document(filename):
            return raw
        return decode_source(filename, raw).text.encode() if b"torch" in raw else b""
    except (OSError, SourceError):
        return None


def _may_leave_out(filename: str) -> bool:
    """Whether a notebook in which there is something to find may hold what is not read: most need not be decoded."""
    try:
        raw = read_bytes(filename)
    except OSError:
        return False
    return b"torch" in raw and (b"%%" in raw or b"#@tab" in raw or _SAYS_PYTHON.search(raw) is None)


class Sources:
    """Files, each read once. Given texts, such as standard input, replace the files on disk."""

    def __init__(self, given: Iterable[SourceFile] = ()) -> None:
        self._files: dict[str, SourceFile | None] = {source.filename: source for source in given}
        self._lines: dict[tuple[str, int | None], list[str]] = {}

    def get(self, filename: str) -> SourceFile | None:
        """Return the file; None if it cannot be read or decoded."""
        if filename not in self._files:
            try:
                self._files[filename] = read_source(filename)
            except SourceError:
                self._files[filename] = None
        return self._files[filename]

    def lines(self, place: Place) -> list[str]:
        """Return the lines of the file or cell of a place; empty if it cannot be read."""
        key = place.filename, place.cell
        if key not in self._lines:
            source = self.get(place.filename)
            self._lines[key] = lines(source.part(place.cell)) if source else []
        return self._lines[key]

    def has_prose(self, place: Place) -> bool:
        """Whether the lines around a place may be the text of a document, and no Python."""
        return is_document(place.filename) and place.cell is None

    def line(self, place: Place) -> str:
        """Return the first line of a place; empty if there is none."""
        text = self.lines(place)
        return text[place.row - 1] if 0 < place.row <= len(text) else ""

    def text(self, place: Place) -> str:
        """Return the text at a place."""
        rows = self.lines(place)[place.row - 1 : place.end_row]
        if len(rows) == place.end_row - place.row + 1:
            rows[-1] = rows[-1][: place.end_column - 1]
        return "\n".join([*(row[place.column - 1 :] for row in rows[:1]), *rows[1:]])

    def shown(self, place: Place) -> Place:
        """Map a place in the Python text to the document."""
        source = self.get(place.filename) if is_document(place.filename) else None
        return source.shown(place) if source else place

    def indented(self, edit: Edit) -> Edit:
        """Return an edit of a document whose new rows are indented like its first row."""
        source = self.get(edit.place.filename)
        part = next((part for part in source.parts if part.cell == edit.place.cell), None) if source else None
        indent = self.line(edit.place)[: part.shift(edit.place.row)] if part is not None else ""
        return msgspec.structs.replace(edit, content=edit.content.replace("\n", f"\n{indent}"))

    def skipped(self, filename: str) -> tuple[Unread, ...]:
        """Return the skipped parts of a document."""
        if not is_document(filename):
            return ()
        if filename not in self._files and filename.lower().endswith(NOTEBOOKS) and not _may_leave_out(filename):
            return ()
        source = self.get(filename)
        return source.skipped if source else ()

    def in_file(self, place: Place) -> Place:
        """Map a place in a cell to the file of its notebook; to its start if the file is no longer readable."""
        if place.cell is None:
            return place
        from initaudit.sources.notebook import in_notebook

        source = self.get(place.filename)
        return in_notebook(source, place) if source else msgspec.structs.replace(place, cell=None)


class Names:
    """Maps file names of observers to the names given on the command line."""

    def __init__(self, filenames: Iterable[str]) -> None:
        self._filenames = tuple(filenames)
        self._known = {name: name for name in self._filenames}
        self._by_real: dict[str, str] | None = None

    def name(self, filename: str) -> str:
        """Return the name as given; a file that only the probe saw is relative to the current folder, if inside it."""
        if filename not in self._known:
            if self._by_real is None:
                self._by_real = {os.path.realpath(name): name for name in self._filenames}
            real = os.path.realpath(filename)
            here = os.path.realpath(Path.cwd()) + os.sep
            self._known[filename] = self._by_real.get(real) or (
                real[len(here) :] if real.startswith(here) else filename
            )
        return self._known[filename]

    def place(self, place: Place) -> Place:
        """Return a place with the file name as given."""
        return msgspec.structs.replace(place, filename=self.name(place.filename))
