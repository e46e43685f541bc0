"""The colours of source in an excerpt, by Python's own tokenizer."""

from __future__ import annotations

import builtins
import contextlib
import io
import keyword
import token
import tokenize
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from initaudit.report.excerpt import ExcerptRow

Span = tuple[int, int, str]
"""Start and end of a piece of a row, and its class in the style sheet: k(eyword), s(tring), n(umber), c, d, b."""
OF_TEXT = ("STRING", "FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END")
TEXTS = frozenset(getattr(token, name) for name in OF_TEXT if hasattr(token, name))
END = 1 << 30
"""A column after the last one of every row."""
BUILTINS = frozenset(name for name in dir(builtins) if name.islower())


class Piece(msgspec.Struct, frozen=True):
    """A part of a row of one colour; ``kind`` is empty for plain text."""

    text: str
    kind: str


class ColouredRow(msgspec.Struct, frozen=True):
    """A row of an excerpt: the pieces before the marked part, of it, and after it."""

    row: int
    before: tuple[Piece, ...]
    marked: tuple[Piece, ...]
    after: tuple[Piece, ...]


def spans(lines: Sequence[str]) -> dict[int, list[Span]]:
    """Return the coloured pieces of each row, counted from 1, up to a row that is no Python."""
    found: dict[int, list[Span]] = {}
    defining = after_dot = False
    text = io.StringIO("".join(f"{line}\n" for line in lines))
    # the tokenizer raises at what it cannot read; what it has read so far is coloured
    with contextlib.suppress(tokenize.TokenError, SyntaxError):
        for one in tokenize.generate_tokens(text.readline):
            kind = _kind(one, defining=defining, after_dot=after_dot)
            if kind:
                for row, start, end in _rows(one):
                    found.setdefault(row, []).append((start, end, kind))
            defining, after_dot = one.string in ("def", "class"), one.string == "."
    return found


def _kind(one: tokenize.TokenInfo, *, defining: bool, after_dot: bool) -> str:
    if one.type == token.NAME:
        if keyword.iskeyword(one.string):
            return "k"
        if defining:
            return "d"
        return "b" if one.string in BUILTINS and not after_dot else ""
    if one.type in TEXTS:
        return "s"
    return {token.NUMBER: "n", token.COMMENT: "c"}.get(one.type, "")


def _rows(one: tokenize.TokenInfo) -> Iterator[tuple[int, int, int]]:
    """Yield each row of a token with the columns that it takes there."""
    (first, start), (last, end) = one.start, one.end
    for row in range(first, last + 1):
        yield row, start if row == first else 0, end if row == last else END


def coloured(
    rows: Sequence[ExcerptRow], lines: Sequence[str], found: Mapping[int, Sequence[Span]]
) -> tuple[ColouredRow, ...]:
    """Return the rows of an excerpt in pieces, without the indent that they share; a cut row has no colours."""
    filled = [row.text for row in rows if row.text.strip()]
    indent = min((len(text) - len(text.lstrip(" ")) for text in filled), default=0)
    return tuple(_coloured(row, indent, lines, found) for row in rows)


def _coloured(row: ExcerptRow, indent: int, lines: Sequence[str], found: Mapping[int, Sequence[Span]]) -> ColouredRow:
    whole = 0 < row.row <= len(lines) and lines[row.row - 1] == row.text
    spans = found.get(row.row, ()) if whole else ()
    length = len(row.text)
    start, end = (row.start, row.end) if row.marked else (length, length)
    parts = ((indent, start), (max(start, indent), end), (end, length))
    return ColouredRow(row.row, *(tuple(_pieces(row.text, first, last, spans)) for first, last in parts))


def _pieces(text: str, start: int, end: int, spans: Sequence[Span]) -> Iterator[Piece]:
    """Yield the pieces of a part of a row, in order and without gaps."""
    at = start
    for first, last, kind in spans:
        first, last = max(first, at), min(last, end)
        if last > first:
            if first > at:
                yield Piece(text[at:first], "")
            yield Piece(text[first:last], kind)
            at = last
    if at < end:
        yield Piece(text[at:end], "")
