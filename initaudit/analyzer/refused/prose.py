"""Whether a text is written for its readers, or for a shell, and no code: remarks in a cell of the wrong kind."""

from __future__ import annotations

import ast
import contextlib
import keyword
import re
import unicodedata
from collections.abc import Sequence

from initaudit.analyzer.refused.statements import Statement
from initaudit.sources.tokens import Token

_BEGIN_CODE = set(keyword.kwlist) - {"and", "in", "is", "not", "or"}
"""Keywords with which a statement that Python rejects is still one of code."""
_WORDS = 2
"""How often a word follows another one in a sentence, where Python would have an operator between them."""

_OPTION = re.compile(r"[ \t]+--?[A-Za-z][\w-]*(?:[ \t]+[\"'\w]|[ \t]*$)", re.MULTILINE)
"""An option of a shell's command, and its value: the dash has a blank before it, and none behind."""

_ADDRESS = re.compile(r"https?://\S+")


def is_prose(text: str, statements: Sequence[Statement]) -> bool:
    """Return whether a text has sentences, and beside them nothing that would do anything."""
    counts = [words_in_a_row(text, each) for each in statements]
    if not any(count >= _WORDS for count in counts):
        return False
    return all(count > 0 or does_nothing(text, each) for count, each in zip(counts, statements, strict=True))


def words_in_a_row(text: str, statement: Statement) -> int:
    """Return how often one word follows another in a statement, outside of brackets; 0 for one that looks like code.

    A mark of another script beside a word of it ends a sentence; an option behind a word is one of a shell's command.
    The number of a heading or of an item counts as a word.
    """
    held = statement.tokens
    if held[0].text in _BEGIN_CODE or any(token.kind == "assigns" for token in held):
        return 0
    depth, count = 0, int(_is_numbered(held))
    for token, behind in zip(held, [*held[1:], Token("", "", 0)], strict=True):
        depth = max(depth + token.step, 0)
        if depth == 0 and _is_word(token) and _is_word(behind):
            count += 1
        elif depth == 0 and (_ends_sentence(token, behind) or _is_before_option(text, token)):
            count += _WORDS
    return count


def _is_numbered(held: Sequence[Token]) -> bool:
    """Return whether a statement begins with a whole number, a point and a word."""
    return len(held) > 2 and held[0].text.isdecimal() and held[1].text == "." and _is_word(held[2])


def _ends_sentence(token: Token, behind: Token) -> bool:
    return (_is_mark(token) and _is_foreign(behind)) or (_is_foreign(token) and _is_mark(behind))


def _is_before_option(text: str, token: Token) -> bool:
    return _is_word(token) and _OPTION.match(text, token.start + len(token.text)) is not None


def _is_word(token: Token) -> bool:
    return token.kind == "other" and token.text[:1].isalnum() and not keyword.iskeyword(token.text)


def _is_foreign(token: Token) -> bool:
    return _is_word(token) and not token.text.isascii()


def _is_mark(token: Token) -> bool:
    return token.kind == "other" and not token.text.isascii() and unicodedata.category(token.text[0])[0] in "PS"


def does_nothing(text: str, statement: Statement) -> bool:
    """Return whether a statement is a name, a number or an address, such as a heading of one word."""
    first, last = statement.tokens[0], statement.tokens[-1]
    shown = text[first.start : last.start + len(last.text)]
    if _ADDRESS.fullmatch(shown):
        return True
    with contextlib.suppress(SyntaxError, ValueError, RecursionError):
        body = ast.parse(shown.removesuffix(".")).body
        plain = ast.Name | ast.Constant | ast.Attribute | ast.UnaryOp | ast.Load | ast.USub
        return all(
            isinstance(each, ast.Expr) and all(isinstance(node, plain) for node in ast.walk(each.value))
            for each in body
        )
    return False
