"""Why Python rejects a file: errors of its parser, and of its compiler about misplaced statements.

Python's tables of symbols take two thirds of the time of its compiler, and miss a ``return`` outside of a function and
a few more mistakes. The compiler is asked only about files in which a line looks like one of those.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator

from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.skeleton import without_strings
from initaudit.sources.files import is_document

_IN_FUNCTIONS = (re.compile(r"return(?<![.\w]return)\b"), re.compile(r"yield(?<![.\w]yield)\b"))
_IN_LOOPS = ("break", "continue")
_RARE = (
    ("await", re.compile(r"await(?<![.\w]await)\b")),
    ("async", re.compile(r"async(?<![.\w]async)\b")),
    ("match", re.compile(r"match(?<![.\w]match)\b(?!\s*[=.,:)\]])")),
    ("except", re.compile(r"except[\s\\]*:")),
    ("__debug__", re.compile("__debug__")),
    *(("*", re.compile(rf"{before}(?:[\s\\]|#.*\n)*\*(?!\*)")) for before in ("=", "return", "yield")),
)
"""What can be in the wrong place, too, and stands in few files: a word to look for first, and how it is written.

A pattern that begins with plain letters is found several times as fast.
"""
_FUTURE = re.compile(r"^from[ \t]+__future__\b", re.MULTILINE)
_BEGINS = re.compile(r"^(?!from[ \t]+__future__\b)[^\s#'\"]", re.MULTILINE)
"""What a statement of the top level begins with, but no import from the future and no docstring."""
_LOOP = re.compile(r"(?:async[ \t]+)?(?:for|while)\b")
_DEFINITION = re.compile(r"(?:async[ \t]+)?(?:def|class)\b")


def refusal(module: Module) -> SyntaxError | None:
    """Return why Python does not compile a file, or None when it does.

    Only the parser is asked about a document: its cells are compiled one by one, and may await at their top level.
    """
    if module.fault is not None or module.newer:
        return module.fault
    if is_document(module.filename) or not _may_be_misplaced(module):
        return None
    return compiler_says(module.text)


def compiler_says(text: str) -> SyntaxError | None:
    """Return why Python's compiler does not take a text that its parser takes, or None when it does."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<source>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError):  # the parser goes deeper than the compiler
        return None
    return None


def _may_be_misplaced(module: Module) -> bool:
    """Return whether some statement may stand where it is not allowed."""
    if any(word in module.text and _stands(pattern, module.text) for word, pattern in _RARE):
        return True
    if _has_late_future(module.text):
        return True
    outside = any(_stands(each, text) for text in _outside_functions(module) for each in _IN_FUNCTIONS)
    return outside or any(not _in_loop(module, row) for row in _rows(module.text, _IN_LOOPS))


def _has_late_future(text: str) -> bool:
    """Return whether a statement may stand above an import from the future; lines of docstrings are taken for code."""
    last = max((match.start() for match in _FUTURE.finditer(text)), default=0) if "__future__" in text else 0
    return _BEGINS.search(text, 0, last) is not None


def _stands(pattern: re.Pattern[str], text: str) -> bool:
    """Return whether a pattern is found outside of strings and comments."""
    return pattern.search(text) is not None and pattern.search(without_strings(text)) is not None


def _outside_functions(module: Module) -> Iterator[str]:
    """Yield the parts of a text that stand in no function."""
    row = 1
    for definition in module.outline.definitions:
        if not definition.is_class and definition.start >= row:
            yield module.rows(row, definition.start - 1)
            row = definition.end + 1
    yield module.rows(row, len(module.lines))


def _rows(text: str, words: Iterable[str]) -> Iterator[int]:
    """Yield the rows of statements that begin with some words. Lines of strings are taken for code."""
    for word in words:
        row, counted = 1, 0
        for match in re.finditer(rf"{word}\b", text):
            begin = text.rfind("\n", 0, match.start()) + 1
            before = text[begin : match.start()].rstrip()
            if not before or before[-1] in ":;":
                row += text.count("\n", counted, begin)
                counted = begin
                yield row


def _in_loop(module: Module, row: int) -> bool:
    """Return whether a line stands in a loop, by the lines above it that are less indented."""
    around = module.outline.at(row)
    line = module.lines[row - 1]
    if _LOOP.match(code := line.lstrip()):
        return True
    indent = len(line) - len(code)
    for above in reversed(module.lines[around.row - 1 if around is not None else 0 : row - 1]):
        header = above.lstrip()
        if header and len(above) - len(header) < indent and header[0] not in "#)]}":
            if _LOOP.match(header):
                return True
            if _DEFINITION.match(header):
                return False
            indent = len(above) - len(header)
    return False
