"""Why Python rejects a file: errors of its parser, and of its compiler about misplaced statements.

Python's tables of symbols take two thirds of the time of its compiler, and miss a ``return`` outside of a function and
a few more mistakes. The compiler is asked only about files in which a line looks like one of those.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence

from initaudit.analyzer.module import Module
from initaudit.files import is_document
from initaudit.finding import Place
from initaudit.subjects.files import SyntaxFault

_BLANK = re.compile(
    r"""
      ^[^#=]*[\w\])][ \t]*=[ \t]*(?:\#.*)?$
    | (?:^|[=({\[,:]|\b(?:return|in|if|not)\b)\s*(?:\?{3,}|<>|<[^<=\n#][^\n]*>)
    """,
    re.VERBOSE,
)
"""What stands where something is to be filled in: nothing behind an equals sign, question marks, words in brackets."""
_YOURS = re.compile(r"#.*\byour (?:own )?(?:code|answer|solution|implementation)\b", re.IGNORECASE)
_TO_DO = re.compile(r"#.*\b(?:TODO|FIXME|your|fill|write|complete|implement|insert|exercise)\b", re.IGNORECASE)
_FUNCTION = re.compile(r"(?:async[ \t]+)?def\b")
_PYTHON_2 = ("Missing parentheses in call to", "multiple exception types must be parenthesized")
_OLD = re.compile(r"^\s*(?:print\s+[^=\s(]|raise\s+\w+\s*,|exec\s+[\"'])|\bur[\"']|[\w)\]]\s*<>\s*[\w(]|\b0\d+\b(?!\.)")
"""Statements that Python took before its version 3, and not since."""
_IN_FUNCTIONS = re.compile(r"(?:^|[:;])[ \t]*(?:return|yield)\b", re.MULTILINE)
_IN_LOOPS = ("break", "continue")
_RARE = {
    "await": re.compile(r"await[ \t(]"),
    "async": re.compile(r"async[ \t]+(?:def|for|with)\b"),
    "match": re.compile(r"^[ \t]*match\b[^\n]*:[ \t]*(?:#[^\n]*)?$", re.MULTILINE),
    "except": re.compile(r"except[ \t]*:"),
    "*": re.compile(r"=[ \t]*\*(?!\*)"),
}
"""What can be in the wrong place, too, and stands in few files: a word to look for first, and how it is written."""
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
    return _compiler_says(module.text)


def syntax_fault(place: Place, detail: str, rows: Sequence[str], row: int) -> SyntaxFault:
    """Return what is told of a file, or a cell, that Python refuses at one of its rows, counted from 1."""
    line = rows[row - 1] if row <= len(rows) else ""
    in_cell = is_document(place.filename)
    unfinished = _BLANK.search(line) is not None or _lacks_body(detail, rows[:row], in_cell)
    if in_cell and not unfinished:  # Python may stumble over a blank only later
        unfinished = any(_BLANK.search(each) or _YOURS.search(each) for each in rows)
    python_2 = detail.startswith(_PYTHON_2) or _OLD.search(line) is not None
    return SyntaxFault(place, detail, unfinished=unfinished, python_2=python_2)


def _lacks_body(detail: str, rows: Sequence[str], in_cell: bool) -> bool:
    """Return whether somebody is to write the body that is missing above the last of some rows.

    A comment says so, or a cell has a function without one.
    """
    if not detail.startswith("expected an indented block"):
        return False
    for line in reversed(rows):
        code = line.lstrip()
        if _TO_DO.search(line):
            return True
        if code and not code.startswith("#") and line is not rows[-1]:
            return in_cell and _FUNCTION.match(code) is not None
    return False


def _compiler_says(text: str) -> SyntaxError | None:
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
    """Return whether some statement may stand where it is not allowed. Lines of strings are taken for code."""
    if any(word in module.text and pattern.search(module.text) for word, pattern in _RARE.items()):
        return True
    outside = any(_IN_FUNCTIONS.search(text) for text in _outside_functions(module))
    return outside or any(not _in_loop(module, row) for row in _rows(module.text, _IN_LOOPS))


def _outside_functions(module: Module) -> Iterator[str]:
    """Yield the parts of a text that stand in no function."""
    row = 1
    for definition in module.outline.definitions:
        if not definition.is_class and definition.start >= row:
            yield module.rows(row, definition.start - 1)
            row = definition.end + 1
    yield module.rows(row, len(module.lines))


def _rows(text: str, words: Iterable[str]) -> Iterator[int]:
    """Yield the rows of statements that begin with some words."""
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
