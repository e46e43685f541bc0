"""The Python in a notebook: its code cells, one after another, as a source file.

Each cell keeps the positions of its rows. What is not Python is removed without moving a row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from initaudit.finding import Place
from initaudit.sources.ipython import Code, python_of
from initaudit.sources.source import Part, SourceError, SourceFile, Unread, lines

PYTHON = frozenset({"python", "py", "python3", "ipython", "ipython3"})
_SOURCE = rb'"(?:source|input)"\s*:\s*'


class _Cell(msgspec.Struct):
    cell_type: str = ""
    source: str | list[str] | None = ""
    input: str | list[str] | None = ""  # what nbformat 3 calls the source
    metadata: Any = None

    @property
    def is_python(self) -> bool:
        """Whether a cell is code, and its editor gives it no other language."""
        match self.metadata:
            case {"vscode": {"languageId": str(language)}}:
                return self.cell_type == "code" and language.lower() in PYTHON
        return self.cell_type == "code"

    @property
    def text(self) -> str:
        text = self.source or self.input or ""
        return text if isinstance(text, str) else "".join(text)


class _Worksheet(msgspec.Struct):
    cells: list[_Cell] = []


class _Notebook(msgspec.Struct):
    """A notebook; its metadata may be anything, since the format leaves most of them open."""

    cells: list[_Cell] | None = None
    worksheets: list[_Worksheet] = []  # of nbformat 3
    metadata: Any = None

    @property
    def all_cells(self) -> list[_Cell]:
        return [*(self.cells or ()), *(cell for sheet in self.worksheets for cell in sheet.cells)]

    @property
    def language(self) -> str:
        return (self._said("language_info", "name") or self._said("kernelspec", "language") or "python").lower()

    @property
    def is_python_2(self) -> bool:
        """Whether the notebook was last run by Python 2, or names its kernel if it was never run."""
        version = self._said("language_info", "version")
        return version.split(".")[0] == "2" if version else self._said("kernelspec", "name") == "python2"

    def _said(self, part: str, key: str) -> str:
        """Return what a part of the metadata says, as text."""
        found = self.metadata.get(part) if isinstance(self.metadata, dict) else None
        said = found.get(key) if isinstance(found, dict) else None
        return str(said) if isinstance(said, str | int | float) else ""


class _RawCell(msgspec.Struct):
    source: msgspec.Raw = msgspec.Raw(b"")
    input: msgspec.Raw = msgspec.Raw(b"")


class _RawWorksheet(msgspec.Struct):
    cells: list[_RawCell] = []


class _RawNotebook(msgspec.Struct):
    cells: list[_RawCell] = []
    worksheets: list[_RawWorksheet] = []


def notebook(filename: str, raw: bytes) -> SourceFile:
    """Return the Python in a notebook; raises SourceError if it is not a notebook."""
    try:
        found = _decoded(raw)
    except (ValueError, RecursionError) as error:
        raise SourceError(filename, f"not a notebook: {error}") from error
    if found.cells is None and not found.worksheets:
        raise SourceError(filename, "not a notebook: it has no cells")
    rows: list[str] = []
    parts: list[Part] = []
    faults: list[Unread] = []
    skipped: list[Unread] = []
    language = found.language
    if language not in PYTHON:
        skipped.append(Unread(Place(filename, 1, 1, 1, 1), f"a notebook for {language}"))
    for number, cell in enumerate(found.all_cells, 1):
        if not cell.is_python or language not in PYTHON:
            continue
        code = python_of(cell.text)
        if code.fault is not None:
            fault = _fault(filename, len(rows), code, cell.text)
            faults.append(msgspec.structs.replace(fault, python_2=found.is_python_2))
        if code.unread is not None:
            skipped.append(Unread(Place(filename, 1, 1, 1, 1, number), code.unread))
        parts.append(Part(number, len(rows) + 1, cell.text, tuple(code.shifts)))
        rows += code.rows
    text = "\n".join(rows) + "\n"
    return SourceFile(filename, raw, text, "utf-8", tuple(parts), tuple(faults), tuple(skipped))


def _decoded(raw: bytes) -> _Notebook:
    """Return a notebook; one in which numbers or characters are no JSON, but which Jupyter reads, counts too."""
    try:
        return msgspec.json.decode(raw, type=_Notebook)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        try:
            found = msgspec.convert(json.loads(raw), _Notebook)
            "".join(cell.text for cell in found.all_cells).encode()
        except ValueError:
            raise error from None
        return found


def _fault(filename: str, before: int, code: Code, text: str) -> Unread:
    """Return where a cell fails to parse in the Python text, and why.

    The cell is kept as comments: a rule may search its words, and a comment in it may suppress findings.
    """
    assert code.fault is not None
    for index, line in enumerate(lines(text)):
        comment = f"{code.rows[index]}  # " if code.rows[index] else "# "
        code.rows[index], code.shifts[index] = comment + line, -len(comment)
    row = before + code.fault.row
    column = code.fault.column - code.shifts[code.fault.row - 1]
    return Unread(Place(filename, row, column, row, column + 1), code.fault.detail)


def rewritten(source: SourceFile, texts: Mapping[int | None, str]) -> str:
    """Return a notebook with other text in some cells, and everything else unchanged, byte for byte.

    Raises ValueError if that is not possible.
    """
    pieces, position = [], 0
    for number, begin, end in _values(source.raw):
        if number in texts:
            pieces += [source.raw[position:begin], _encoded(texts[number], source.raw[begin:end])]
            position = end
    content = b"".join([*pieces, source.raw[position:]])
    if json.loads(content) != _replaced(json.loads(source.raw), texts):
        raise ValueError("the cell cannot be located in the file, because others look like it")
    return content.decode(source.encoding)


def in_notebook(source: SourceFile, place: Place) -> Place:
    """Return the place of the JSON strings that hold the rows of a place in a cell; else the start of the file."""
    spans = (_strings(source.raw, *span) for number, *span in _values(source.raw) if number == place.cell)
    strings = next(spans, [])
    if not strings:
        return Place(place.filename, 1, 1, 1, 1)
    begin = next(begin for row, begin, _ in reversed(strings) if row <= place.row)
    end = next(end for row, _, end in reversed(strings) if row <= place.end_row)
    return Place(place.filename, *_row_and_column(source.raw, begin), *_row_and_column(source.raw, end))


def _values(raw: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the number of each cell, and the start and end of its source in the file."""
    position = 0
    try:
        document = msgspec.json.decode(raw, type=_RawNotebook)
    except msgspec.DecodeError:
        return  # it is no JSON of the standard
    cells = [*document.cells, *(cell for sheet in document.worksheets for cell in sheet.cells)]
    for number, cell in enumerate(cells, 1):
        value = bytes(cell.source) or bytes(cell.input)
        found = re.compile(_SOURCE + b"(" + re.escape(value) + b")").search(raw, position) if value else None
        if found is not None:
            yield number, *found.span(1)
            position = found.end(1)


def _strings(raw: bytes, begin: int, end: int) -> list[tuple[int, int, int]]:
    """Return the JSON strings of a cell's source: the row of the cell that each begins, and its span."""
    value = raw[begin:end]
    found, row = [], 1
    for string in map(bytes, msgspec.json.decode(value, type=list[msgspec.Raw]) if value[:1] == b"[" else [value]):
        begin = raw.index(string, begin)
        found.append((row, begin, begin + len(string)))
        begin += len(string)
        row += len(lines(msgspec.json.decode(string, type=str))) - 1
    return found


def _row_and_column(raw: bytes, offset: int) -> tuple[int, int]:
    """Return the position of a byte, in rows and code points."""
    begin = raw.rfind(b"\n", 0, offset) + 1
    return raw.count(b"\n", 0, offset) + 1, len(raw[begin:offset].decode()) + 1


def _encoded(text: str, old: bytes) -> bytes:
    """Return the text of a cell as JSON in the style of the old value; unchanged lines keep their bytes."""
    dumps: Callable[[str], str] = lambda line: json.dumps(line, ensure_ascii=rb"\u" in old)  # noqa: E731
    if not old.startswith(b"["):
        return dumps(text).encode()
    elements = [bytes(one) for one in msgspec.json.decode(old, type=list[msgspec.Raw])]
    known = {msgspec.json.decode(one): one for one in elements}
    written = [known.get(line) or dumps(line).encode() for line in text.splitlines(keepends=True)]
    begin, end = re.match(rb"\[\s*", old), re.search(rb"\s*\]$", old)
    assert begin and end
    between = re.compile(rb"\s*,\s*").match(old, begin.end() + len(elements[0])) if elements else None
    return begin[0] + (between[0] if between else b"," + begin[0][1:]).join(written) + end[0]


def _replaced(document: dict[str, Any], texts: Mapping[int | None, str]) -> dict[str, Any]:
    cells = [*document.get("cells", ()), *(cell for sheet in document.get("worksheets", ()) for cell in sheet["cells"])]
    for number, text in texts.items():
        assert number is not None
        cell = cells[number - 1]
        key = "source" if cell.get("source") else "input"
        cell[key] = text.splitlines(keepends=True) if isinstance(cell[key], list) else text
    return document
