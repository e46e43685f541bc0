"""The source around a finding: the rows of its span, with a little of what comes before."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from initaudit.finding import Place

ROWS_BEFORE = 2
ROWS_OF_SPAN = 6


class ExcerptRow(msgspec.Struct, frozen=True):
    """One row, and what of it is in the span: from ``start`` to ``end``, offsets into ``text``."""

    row: int
    text: str
    start: int = 0
    end: int = 0

    @property
    def marked(self) -> bool:
        return self.end > self.start


class Excerpt(msgspec.Struct, frozen=True):
    """Rows in order; ``cut`` says that the span goes on."""

    rows: tuple[ExcerptRow, ...] = ()
    cut: bool = False


def excerpt(place: Place, lines: Sequence[str]) -> Excerpt:
    """The source of a place, from the lines of its file; nothing when the file has no such row."""
    if not 0 < place.row <= len(lines):
        return Excerpt()
    end_row = max(place.row, min(place.end_row, len(lines)))
    last = min(end_row, place.row + ROWS_OF_SPAN - 1)
    rows = []
    for row in range(max(1, place.row - ROWS_BEFORE), last + 1):
        text = lines[row - 1]
        if row < place.row:
            rows.append(ExcerptRow(row, text))
            continue
        start = place.column - 1 if row == place.row else len(text) - len(text.lstrip())
        end = place.end_column - 1 if row == place.end_row else len(text)
        stripped = start + len(text[start:end].rstrip())
        rows.append(ExcerptRow(row, text, start, max(stripped, start + 1)))
    return Excerpt(tuple(rows), cut=end_row > last)
