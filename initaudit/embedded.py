"""Python that stands in other files: the code cells of a notebook, the code blocks of Markdown.

Its rows are put below one another, so that it reads like any source file; each part knows where its rows stand. What
is not Python is taken out without moving a row.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from initaudit.finding import Place
from initaudit.source import Part, SourceError, SourceFile, lines

PYTHON = frozenset({"python", "py", "python3", "ipython", "ipython3"})
BODY_IS_PYTHON = frozenset({"%%time", "%%timeit", "%%capture", "%%prun", "%%python", "%%python3"})
BODY_IS_NO_PROGRAM = frozenset(
    f"%%{name}"
    for name in (
        "bash",
        "cmd",
        "file",
        "html",
        "javascript",
        "js",
        "latex",
        "markdown",
        "script",
        "sh",
        "svg",
        "writefile",
    )
)
ELSEWHERE = "from elsewhere import *"
"""Where names may come from that are not shown: Markdown shows parts of programs, and commands run others."""

_COMMAND = re.compile(r"^(\s*)(?:[%!].*|\?{1,2}\S.*|[^#'\"]+\?{1,2}\s*;?\s*)$")
_RUNS_OTHERS = re.compile(r"^\s*%(?:run|load|pylab|store|recall|rerun|macro)\b")
_ASSIGNED = re.compile(r"^(\s*)([\w., ()\[\]'\"]+?)\s*=\s*[%!].*$")
_SOURCE = rb'"source"\s*:\s*'


class _Cell(msgspec.Struct):
    cell_type: str = ""
    source: str | list[str] = ""

    @property
    def text(self) -> str:
        return self.source if isinstance(self.source, str) else "".join(self.source)


class _Language(msgspec.Struct):
    name: str | None = None  # of `language_info`
    language: str | None = None  # of `kernelspec`


class _Metadata(msgspec.Struct):
    kernelspec: _Language | None = None
    language_info: _Language | None = None

    @property
    def is_python(self) -> bool:
        said = self.language_info.name if self.language_info else None
        said = said or (self.kernelspec.language if self.kernelspec else None)
        return said is None or said.lower() in PYTHON


class _Notebook(msgspec.Struct):
    cells: list[_Cell] = []
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class _RawCell(msgspec.Struct):
    source: msgspec.Raw = msgspec.Raw(b"")


class _RawNotebook(msgspec.Struct):
    cells: list[_RawCell] = []


def embedded(filename: str, raw: bytes) -> SourceFile:
    """The Python in a notebook or in Markdown; raises SourceError for what is neither."""
    return (_notebook if filename.lower().endswith(".ipynb") else _markdown)(filename, raw)


# Notebooks


def _notebook(filename: str, raw: bytes) -> SourceFile:
    try:
        notebook = msgspec.json.decode(raw, type=_Notebook)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(filename, f"not a notebook: {error}") from error
    rows: list[str] = []
    parts: list[Part] = []
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code" and notebook.metadata.is_python:
            parts.append(Part(cell=number, first=len(rows) + 1, text=cell.text))
            rows += _python_of(cell.text)
    return SourceFile(filename, raw, "\n".join(rows) + "\n", "utf-8", tuple(parts))


def _python_of(text: str) -> list[str]:
    """The rows of a cell without what IPython alone understands."""
    rows = lines(text)
    if _parses(text):
        return rows
    first = next((row for row in rows if row.strip()), "")
    if first.startswith("%%") and first.split()[0] not in BODY_IS_PYTHON:
        return ["" if first.split()[0] in BODY_IS_NO_PROGRAM else ELSEWHERE, *[""] * (len(rows) - 1)]
    return list(_without_commands(rows))


def _without_commands(rows: Sequence[str]) -> Iterator[str]:
    continues = False
    for row in rows:
        if continues:
            yield ""
        elif match := _COMMAND.match(row):
            yield f"{match[1]}{ELSEWHERE if _RUNS_OTHERS.match(row) else 'pass'}"
        elif match := _ASSIGNED.match(row):
            yield f"{match[1]}{match[2]} = None"
        else:
            yield row
            continue
        continues = row.rstrip().endswith("\\")


def _parses(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def rewritten(source: SourceFile, texts: Mapping[int | None, str]) -> str:
    """A notebook with other text in some cells, and everything else as it is, byte for byte.

    Raises ValueError where that cannot be done.
    """
    pieces, position = [], 0
    for number, begin, end in _values(source.raw):
        if number in texts:
            pieces += [source.raw[position:begin], _encoded(texts[number], source.raw[begin:end])]
            position = end
    content = b"".join([*pieces, source.raw[position:]])
    if json.loads(content) != _replaced(json.loads(source.raw), texts):
        raise ValueError("the cell cannot be told from others that look like it")
    return content.decode(source.encoding)


def in_notebook(source: SourceFile, place: Place) -> Place:
    """The strings of JSON that hold the rows of a place in a cell; the begin of the file where these cannot be told."""
    spans = (_strings(source.raw, *span) for number, *span in _values(source.raw) if number == place.cell)
    strings = next(spans, [])
    if not strings:
        return Place(place.filename, 1, 1, 1, 1)
    begin = next(begin for row, begin, _ in reversed(strings) if row <= place.row)
    end = next(end for row, _, end in reversed(strings) if row <= place.end_row)
    return Place(place.filename, *_row_and_column(source.raw, begin), *_row_and_column(source.raw, end))


def _values(raw: bytes) -> Iterator[tuple[int, int, int]]:
    """The number of each cell of a notebook, and where its source begins and ends, in the order of the file."""
    position = 0
    for number, cell in enumerate(msgspec.json.decode(raw, type=_RawNotebook).cells, 1):
        value = bytes(cell.source)
        found = re.compile(_SOURCE + b"(" + re.escape(value) + b")").search(raw, position) if value else None
        if found is not None:
            yield number, *found.span(1)
            position = found.end(1)


def _strings(raw: bytes, begin: int, end: int) -> list[tuple[int, int, int]]:
    """The strings that the source of a cell is written as: the row of the cell that each begins in, and its span."""
    value = raw[begin:end]
    found, row = [], 1
    for string in map(bytes, msgspec.json.decode(value, type=list[msgspec.Raw]) if value[:1] == b"[" else [value]):
        begin = raw.index(string, begin)
        found.append((row, begin, begin + len(string)))
        begin += len(string)
        row += len(lines(msgspec.json.decode(string, type=str))) - 1
    return found


def _row_and_column(raw: bytes, offset: int) -> tuple[int, int]:
    """Where a byte stands, in rows and code points."""
    begin = raw.rfind(b"\n", 0, offset) + 1
    return raw.count(b"\n", 0, offset) + 1, len(raw[begin:offset].decode()) + 1


def _encoded(text: str, old: bytes) -> bytes:
    """The text of a cell as JSON, in the style of what it replaces: lines that stay are not written anew."""
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


def _replaced(document: dict[str, object], texts: Mapping[int | None, str]) -> dict[str, object]:
    cells = document["cells"]
    assert isinstance(cells, list)
    for number, text in texts.items():
        assert number is not None
        is_list = isinstance(cells[number - 1]["source"], list)
        cells[number - 1]["source"] = text.splitlines(keepends=True) if is_list else text
    return document


# Markdown


def _markdown(filename: str, raw: bytes) -> SourceFile:
    from markdown_it import MarkdownIt

    encoding = "utf-8-sig" if raw.startswith(b"\xef\xbb\xbf") else "utf-8"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise SourceError(filename, f"byte 0x{raw[error.start]:02x} is not utf-8 text") from error
    shown = lines(text)
    rows, shifts = [""] * len(shown), [0] * len(shown)
    rows[0] = ELSEWHERE
    for token in MarkdownIt("commonmark").parse(text):
        language = token.info.split()[:1]
        if token.type == "fence" and token.map and language and language[0].strip("{}.").lower() in PYTHON:
            _take_block(token.content, token.map[0] + 1, shown, rows, shifts)
    return SourceFile(filename, raw, "\n".join(rows) + "\n", encoding, (Part(None, 1, text, tuple(shifts)),))


def _take_block(content: str, first: int, shown: Sequence[str], rows: list[str], shifts: list[int]) -> None:
    """Copy a block, unless it is no Python by itself, to where it stands."""
    block = content.removesuffix("\n").split("\n")
    if not content or not _parses(content):
        return
    if not all(shown[first + at].endswith(row) for at, row in enumerate(block)):
        return
    for at, row in enumerate(block, first):
        rows[at], shifts[at] = row, len(shown[at]) - len(row)
