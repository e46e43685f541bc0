"""Whether an older Python accepted what this one rejects: Python 2, or one before 3.7, in which ``async`` was a name.

The tokens of a statement decide, not its rows.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence

from initaudit.analyzer.refused.statements import Statement
from initaudit.sources.tokens import Token

PYTHON_2 = "Python 2"
BEFORE_3_7 = "Python before 3.7, where `async` and `await` were names"
_OF_PYTHON_2 = (
    "Missing parentheses in call to",
    "multiple exception types must be parenthesized",
)
_STRING = re.compile(r"[uU][rR]")
_NUMBER = re.compile(r"0\d+|(?:\d+|0[xX][\da-fA-F]+)[lL]")
_NOTHING = Token("", "", 0)


def older_python(here: Sequence[Statement], detail: str, text: str, row: int) -> str:
    """Return the older version of Python that statements are for, which Python rejects at a row; empty for none."""
    if detail.startswith(_OF_PYTHON_2):
        return PYTHON_2
    rejected = [_until(each.tokens, text, row) for each in here]
    if any(_is_old(held, index) for held in rejected for index in range(len(held))):
        return PYTHON_2
    return BEFORE_3_7 if any(_is_name(held, index) for held in rejected for index in range(len(held))) else ""


def _until(held: Sequence[Token], text: str, row: int) -> Sequence[Token]:
    """Return the tokens of a statement up to the end of the row that Python rejects.

    A bracket that is never closed adds all later statements to its own, and Python has not come to them.
    """
    end = sum(len(line) + 1 for line in text.split("\n")[:row])
    return [token for token in held if token.start < end]


def _is_old(held: Sequence[Token], index: int) -> bool:
    """Return whether something stands at a token that Python accepted before version 3, and not since."""
    token, behind = held[index], held[index + 1] if index + 1 < len(held) else _NOTHING
    before = held[index - 1] if index else Token("other", ";", 0)
    match token.text:
        case "print" | "exec":
            is_operand = behind.kind == "string" or (behind.kind == "other" and behind.text[0].isalnum())
            return before.text in (";", ":") and is_operand
        case "raise" | "except":
            return before.text in (";", ":") and "," in _outside_brackets(held[index:])
        case "<":
            return behind.text == ">" and _is_operand(before)
        case "`":
            return True
        case "lambda":
            return behind.text == "("
        case "def":
            return _has_tuple(held[index + 2 :])
    if token.kind == "string":
        return _STRING.match(token.text) is not None
    return _NUMBER.fullmatch(token.text) is not None and token.text.strip("0") != "" and behind.text != "."


def _is_operand(token: Token) -> bool:
    """Return whether an expression may end with a token."""
    if token.kind == "other" and (token.text[0].isalnum() or token.text[0] in "_<>?.)"):
        return not keyword.iskeyword(token.text)
    return token.kind in ("string", "closes")


def _has_tuple(held: Sequence[Token]) -> bool:
    """Return whether a parameter is in brackets, of what stands behind the name of a function."""
    depth, before, found = 0, "", False
    for token in held:
        found |= depth == 1 and token.text == "(" and before in ("(", ",")
        depth = max(depth + token.step, 0)
        if depth == 0:
            return found
        before = token.text
    return False


def _is_name(held: Sequence[Token], index: int) -> bool:
    """Return whether ``async`` or ``await`` is used as a name."""
    behind = held[index + 1] if index + 1 < len(held) else _NOTHING
    before = held[index - 1].text if index else ""
    match held[index].text:
        case "async" | "await" if before in (".", "def", "import", "as"):
            return True
        case "async":
            is_operand = behind.kind == "string" or (behind.text[:1].isalnum() and not keyword.iskeyword(behind.text))
            return not is_operand and behind.text not in ("def", "for", "with")
        case "await":
            return behind.kind in ("assigns", "closes", "compares", "") or behind.text in (",", ".", ":", "in", "is")
    return False


def _outside_brackets(held: Sequence[Token]) -> list[str]:
    depth, found = 0, []
    for token in held:
        if depth == 0:
            found.append(token.text)
        depth = max(depth + token.step, 0)
    return found
