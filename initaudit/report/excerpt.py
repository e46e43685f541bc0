"""The source around a finding: the rows of its span, with a little of what comes before."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from initaudit.finding import Place

ROWS_BEFORE = 2
ROWS_OF_SPAN = 6
LONGEST_ROW, BEFORE_SPAN = 400, 100
"""Characters of a row that are shown, and of what stands before its span, where the row is longer."""


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
            rows.append(_cut(ExcerptRow(row, text)))
            continue
        start = place.column - 1 if row == place.row else len(text) - len(text.lstrip())
        end = place.end_column - 1 if row == place.end_row else len(text)
        stripped = start + len(text[start:end].rstrip())
        rows.append(_cut(ExcerptRow(row, text, start, max(stripped, start + 1))))
    return Excerpt(tuple(rows), cut=end_row > last)


def _cut(row: ExcerptRow) -> ExcerptRow:
    """A row that somebody can read: of a long one the part around its span, and how much stands on either side."""
    if len(row.text) <= LONGEST_ROW:
        return row
    first = max(0, min(row.start - BEFORE_SPAN, len(row.text) - LONGEST_ROW))
    left = len(row.text) - first - LONGEST_ROW
    lead = f"({first:,} characters)..." if first else ""
    tail = f"...({left:,} characters)" if left > 0 else ""
    kept = row.text[first : first + LONGEST_ROW]
    start, end = (min(max(0, at - first), len(kept)) + len(lead) if at else 0 for at in (row.start, row.end))
    return ExcerptRow(row.row, f"{lead}{kept}{tail}", start, end)
