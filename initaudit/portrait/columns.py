"""Tables that fit the width of a terminal.

The least important columns are dropped, long names are folded, and long remarks are cut.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

GAP = 2
"""Blanks between two columns."""
INDENT = "  "
"""Indents the later lines of a name."""
MARKS = (".", " ", "_")
"""Characters after which a name is broken, the best first."""
LUXURY = 6
"""Columns of this rank or higher are dropped before anything is folded or cut."""
HEIGHT = 25
"""Rows of the terminal; no table depends on it."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column. The column with the highest ``rank`` is dropped first; rank 0 is never dropped.

    ``least`` is the minimum width of the column; longer texts are folded, or cut if ``cut``.
    """

    heading: str
    rank: int = 0
    right: bool = False
    least: int | None = None
    cut: bool = False


class Cell(msgspec.Struct, frozen=True):
    """A text and its style."""

    text: str
    style: str = ""


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int, *, color: bool) -> str:
    """Return a table at most ``width`` characters wide; a column without any text is dropped."""
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    filled = [n for n in range(len(columns)) if any(row[n].text for row in rows)]
    natural = {n: max(cell_len(text) for text in (columns[n].heading, *(row[n].text for row in rows))) for n in filled}
    widths = fitted([columns[n] for n in filled], [natural[n] for n in filled], width)
    grid = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False, border_style="dim")
    grid.header_style = "dim"
    shown = [(n, size) for n, size in zip(filled, widths, strict=True) if size]
    for n, size in shown:
        column = columns[n]
        justify: Literal["left", "right"] = "right" if column.right else "left"
        overflow: Literal["ellipsis", "fold"] = "ellipsis" if column.cut else "fold"
        heading = Text(column.heading, no_wrap=True, overflow="ellipsis")
        grid.add_column(heading, justify=justify, width=size, no_wrap=column.cut, overflow=overflow)
    for row in rows:
        texts = ((row[n], row[n].text if columns[n].cut else folded(row[n].text, size)) for n, size in shown)
        grid.add_row(*(Text(text, cell.style) for cell, text in texts))
    return printed(grid, width, color=color)


def fitted(columns: Sequence[Column], natural: Sequence[int], width: int) -> list[int]:
    """Return the width of each column, 0 for a dropped one."""
    kept = set(range(len(columns)))

    least = [size if one.least is None else min(size, one.least) for one, size in zip(columns, natural, strict=True)]

    def total(sizes: Sequence[int]) -> int:
        return sum(sizes[n] for n in kept) + GAP * (len(kept) - 1)

    for sizes, lowest in ((natural, LUXURY), (least, 1)):
        while total(sizes) > width and (dispensable := [n for n in kept if columns[n].rank >= lowest]):
            kept.remove(max(dispensable, key=lambda n: (columns[n].rank, n)))
    widths = [least[n] if n in kept else 0 for n in range(len(columns))]
    spare = width - total(least)
    for n in sorted(kept):
        more = max(0, min(spare, natural[n] - widths[n]))
        widths[n] += more
        spare -= more
    return widths


def folded(text: str, width: int) -> str:
    """Break a long name into several lines, after a dot or a blank if possible, and indent the later lines."""
    from rich.cells import cell_len

    lines, room = [], width
    while cell_len(text) > room:
        fits = next((n for n in range(len(text), 0, -1) if cell_len(text[:n]) <= room), 1)
        at = next((at for mark in MARKS if (at := text.rfind(mark, 0, fits) + 1) > fits // 2), fits)
        lines.append(text[:at])
        text, room = text[at:], width - len(INDENT)
    lines.append(text)
    return f"\n{INDENT}".join(lines)


def printed(what: Table | Text, width: int, *, color: bool) -> str:
    """Return what rich prints, without trailing blanks."""
    from rich.console import Console

    console = Console(
        file=io.StringIO(),
        width=width,
        height=HEIGHT,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        legacy_windows=False,
        force_jupyter=False,
    )
    with console.capture() as captured:
        console.print(what)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())
