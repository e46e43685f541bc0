"""The Python in Markdown: its code blocks, at their positions in the file.

Documents show fragments of programs, so a block that does not parse is counted as skipped, not reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from initaudit.finding import Place
from initaudit.sources.ipython import ELSEWHERE, OTHER_TAB, Code, commands_of_session, python_of, tab_of
from initaudit.sources.source import Part, SourceError, SourceFile, Unread, lines

PYTHON = frozenset({"python", "py", "python3", "py3", "ipython", "ipython3", "pycon", "python-repl", "python-console"})
DIRECTIVES = frozenset({"code", "code-block", "code-cell", "sourcecode"})
"""MyST directives for a block of code; the language follows them."""
_OPTION = re.compile(r":[\w-]+:")


class _Block(msgspec.Struct):
    """A block of Python: its text, its first row in the document, counted from 0, and the number of option rows."""

    content: str
    first: int
    options: int


def markdown(filename: str, raw: bytes) -> SourceFile:
    """Return the Python in a Markdown file; raises SourceError if it is not UTF-8 text."""
    encoding = "utf-8-sig" if raw.startswith(b"\xef\xbb\xbf") else "utf-8"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise SourceError(filename, f"byte 0x{raw[error.start]:02x} is not utf-8 text") from error
    shown = lines(text)
    rows, shifts = [""] * len(shown), [0] * len(shown)
    rows[0] = ELSEWHERE
    skipped: list[Unread] = []
    blocks = list(_blocks(text))
    tabs = _tells_tabs(blocks)
    for block in blocks:
        why = OTHER_TAB if tabs and tab_of(block.content) is None else _take(block, shown, rows, shifts)
        if why is not None:
            skipped.append(Unread(Place(filename, block.first + 1, 1, block.first + 1, 1), why))
    part = Part(None, 1, text, tuple(shifts))
    return SourceFile(filename, raw, "\n".join(rows) + "\n", encoding, (part,), skipped=tuple(skipped))


def _tells_tabs(blocks: Sequence[_Block]) -> bool:
    """Whether blocks without a tab comment are for another framework; with ``%%tab``, they are for all."""
    texts = [block.content for block in blocks]
    by_magic = any(text.lstrip().startswith("%%tab") for text in texts)
    return not by_magic and any(tab_of(text) is not None for text in texts)


def _blocks(text: str) -> Iterator[_Block]:
    """Yield the blocks whose fence names Python."""
    from markdown_it import MarkdownIt

    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "fence" and token.map and token.content.strip():
            language, has_options = _language(token.info)
            if language in PYTHON:
                yield _Block(token.content, token.map[0] + 1, _options(token.content) if has_options else 0)


def _language(info: str) -> tuple[str, bool]:
    """Return the language of a fence such as ``python``, ``{.python .input}``, ``py{1,3}``; whether options follow."""
    words = re.findall(r"\.?[\w+#-]+", info.lower())
    if not info.lstrip().startswith("{"):
        return (words[0].lstrip(".") if words else ""), False
    if words[:1] and words[0] in DIRECTIVES:
        return (words[1] if len(words) > 1 else "python" if words[0] == "code-cell" else ""), True
    classes = [word[1:] for word in words if word.startswith(".")]
    return next((name for name in [*classes, *words[:1]] if name in PYTHON), ""), False


def _options(content: str) -> int:
    """Return the number of option rows of a directive."""
    rows = content.split("\n")
    if rows[0].strip() == "---":
        return next((index + 1 for index, row in enumerate(rows[1:], 1) if row.strip() == "---"), 0)
    return next((index for index, row in enumerate(rows) if not _OPTION.match(row)), 0)


def _take(block: _Block, shown: Sequence[str], rows: list[str], shifts: list[int]) -> str | None:
    """Copy the Python of a block to its rows; return why it is skipped, or None."""
    written = block.content.removesuffix("\n").split("\n")
    there = shown[block.first : block.first + len(written)]
    if len(there) < len(written) or not all(map(str.endswith, there, written)):
        return "its columns in the document are unclear"
    content = [""] * block.options + written[block.options :]
    code: Code = python_of("\n".join(commands_of_session(content)))
    if code.fault is not None:
        return f"not Python: {code.fault.detail}"
    if code.unread is None:
        for at, row in enumerate(code.rows):
            rows[block.first + at] = row
            shifts[block.first + at] = len(there[at]) - len(written[at]) + code.shifts[at]
    return code.unread
