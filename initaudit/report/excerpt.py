"""The source around a finding: the rows of its span and some before it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from initaudit.finding import Place

ROWS_BEFORE = 2
ROWS_OF_SPAN = 6
LONGEST_ROW, BEFORE_SPAN = 400, 100
"""Maximum characters shown of a row, and of its part before the span if the row is cut."""


class ExcerptRow(msgspec.Struct, frozen=True):
    """One row and its part of the span: from ``start`` to ``end``, offsets into ``text``."""

    row: int
    text: str
    start: int = 0
    end: int = 0

    @property
    def marked(self) -> bool:
        return self.end > self.start


class Excerpt(msgspec.Struct, frozen=True):
    """Rows in order; ``cut`` says that the span has more rows."""

    rows: tuple[ExcerptRow, ...] = ()
    cut: bool = False


def excerpt(place: Place, lines: Sequence[str]) -> Excerpt:
    """Return the source of a place, from the lines of its file; empty if the file has no such row."""
    if not 0 < place.row <= len(lines):
        return Excerpt()
    end_row = max(place.row, min(place.end_row, len(lines)))
    last = min(end_row, place.row + ROWS_OF_SPAN - 1)
    rows = []
    for row in range(max(1, place.row - ROWS_BEFORE), last + 1):
        text = lines[row - 1]
        if row < place.row:
            rows.append(_cut(ExcerptRow(row, text)))
            continue
        start = place.column - 1 if row == place.row else len(text) - len(text.lstrip())
        end = place.end_column - 1 if row == place.end_row else len(text)
        stripped = start + len(text[start:end].rstrip())
        rows.append(_cut(ExcerptRow(row, text, start, max(stripped, start + 1))))
    return Excerpt(tuple(rows), cut=end_row > last)


def _cut(row: ExcerptRow) -> ExcerptRow:
    """Cut a long row to the part around its span, and note how many characters are left out on either side."""
    if len(row.text) <= LONGEST_ROW:
        return row
    first = max(0, min(row.start - BEFORE_SPAN, len(row.text) - LONGEST_ROW))
    left = len(row.text) - first - LONGEST_ROW
    lead = f"({first:,} characters)..." if first else ""
    tail = f"...({left:,} characters)" if left > 0 else ""
    kept = row.text[first : first + LONGEST_ROW]
    start, end = (min(max(0, at - first), len(kept)) + len(lead) if at else 0 for at in (row.start, row.end))
    return ExcerptRow(row.row, f"{lead}{kept}{tail}", start, end)
