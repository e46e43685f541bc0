"""The statements and comments of a text that Python may reject, by its tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from initaudit.sources.tokens import Token, tokens

_MARKS = re.compile(r"#{3,}[\s,)\]}]*")
"""All of a comment that stands for a value: ``"lr": ####,``."""
_BLANK = Token("other", "?", 0)


class Comment(NamedTuple):
    """What comments on consecutive rows say, and the first of the rows, counted from 1."""

    row: int
    text: str


class Statement(NamedTuple):
    """The tokens of a statement without blanks, and its first and last row, counted from 1."""

    tokens: Sequence[Token]
    first: int
    last: int


def parts(text: str) -> tuple[list[Statement], list[Comment]]:
    """Split a text into statements and comments; a bracket that is never closed takes what follows with it."""
    statements: list[Statement] = []
    comments: list[Comment] = []
    held: list[Token] = []
    depth, row, first, above = 0, 1, 1, 0
    for token in tokens(f"{text}\n"):
        if token.text.startswith("#"):
            if held and depth > 0 and _MARKS.fullmatch(token.text) and held[-1].text in (":", "="):
                held += [_BLANK] * 3
            said = token.text.lstrip("# ")
            if above == row - 1 and comments and not held:
                comments[-1] = Comment(comments[-1].row, f"{comments[-1].text} {said}")
            else:
                comments.append(Comment(row, said))
            above = row
        elif token.kind == "newline":
            if depth == 0 and held:
                statements.append(Statement(held, first, row))
                held = []
        elif token.kind != "blank":
            first = first if held else row
            held.append(token)
            depth = max(depth + token.step, 0)
        row += token.text.count("\n")
    if held:
        statements.append(Statement(held, first, row - 1))
    return statements, comments
