"""Whether a file that Python rejects is no program: pasted files, shell commands, a table, a report with code."""

from __future__ import annotations

from collections.abc import Sequence

from initaudit.analyzer.refused.prose import does_nothing, is_prose, words_in_a_row
from initaudit.analyzer.refused.refusal import compiler_says
from initaudit.analyzer.refused.statements import Statement, parts

_RULERS = ("---", "===", "***", "~~~")
_MERGE = "======="
_IMPORTS = ("import", "from")
_SENTENCES = 3
"""How many statements of a file with code have to be sentences: a line or two may lack the mark of a comment."""


def is_no_program(text: str, row: int, statements: Sequence[Statement]) -> bool:
    """Return whether a text is made to be read, and Python, which rejects it at a row, was never meant to run it."""
    lines = text.split("\n")
    return _is_pasted(lines, row) or is_prose(text, statements) or _is_report(text, lines, statements)


def _is_pasted(lines: Sequence[str], row: int) -> bool:
    """Return whether Python rejects a ruler, above which a file ends and below which another one begins."""
    if not any(map(_is_ruler, lines[row - 1 : row])):
        return False
    above, below = (_code("\n".join(part)) for part in (lines[: row - 1], lines[row:]))
    ends = any(each.tokens[0].text not in _IMPORTS for each in above)
    return ends and bool(below) and below[0].tokens[0].text in _IMPORTS


def _is_ruler(line: str) -> bool:
    """Return whether a row holds dashes or the like, perhaps with a title between them, and is no mark of a merge."""
    held = line.strip()
    return held[:3] in _RULERS and held[-3:] == held[:3] and held != _MERGE


def _code(text: str) -> list[Statement]:
    """Return the statements of a text but those that are strings."""
    return [each for each in parts(text)[0] if any(token.kind != "string" for token in each.tokens)]


def _is_report(text: str, lines: Sequence[str], statements: Sequence[Statement]) -> bool:
    """Return whether sentences stand between the code of a text, or end it, and all that is left is Python.

    Sentences in one place, with code behind them, are a comment without its mark.
    """
    rows = set[int]()
    counts, places, goes_on = list[int](), 0, True
    for each in statements:
        count = words_in_a_row(text, each) if _is_outermost(text, each) else 0
        if count:
            counts.append(count)
            rows.update(range(each.first, each.last + 1))
            places += goes_on
            goes_on = False
        else:
            goes_on = goes_on or not does_nothing(text, each)
    if len(counts) < _SENTENCES or max(counts) == 1 or (places == 1 and goes_on):
        return False
    return compiler_says("\n".join("" if number in rows else line for number, line in enumerate(lines, 1))) is None


def _is_outermost(text: str, statement: Statement) -> bool:
    start = statement.tokens[0].start
    return start == 0 or text[start - 1] == "\n"
