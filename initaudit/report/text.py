"""Text for people: one line per finding (`concise`), or with source, underlined span and evidence (`full`)."""

from __future__ import annotations

import ast
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from initaudit.finding import Applicability, Edit, Finding, Severity
from initaudit.report.base import Context, position, printable
from initaudit.report.excerpt import excerpt

_COLORS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}
_FIXES = {
    Applicability.SAFE: "apply with `--fix`",
    Applicability.UNSAFE: "apply with `--fix --unsafe-fixes`; may change behaviour",
    Applicability.DISPLAY: "apply by hand",
}
TAB = "    "
BOLD, DIM, GREEN = "1", "2", "32"
CUT = "…"
LINKED = "\0"
"""Separates the color of a text from the address that it links to, within a style."""
LEAST_ROOM = 20
"""Minimum number of source columns shown."""
TICKS = re.compile(r"(`[^`]+`)")
WORD = re.compile(r"(?P<blanks>\s*)(?P<word>\S+)")
Piece = tuple[str, str]
"""A text and its style."""


def concise(findings: Sequence[Finding], context: Context) -> str:
    """Return one line per finding: ``path:row:column: severity: CODE message``."""
    unbroken = msgspec.structs.replace(context, width=None)
    return "".join(f"{line}\n" for finding in findings for line in flowed(_headline(finding), unbroken))


def full(findings: Sequence[Finding], context: Context) -> str:
    """Return findings with their source, evidence and fix."""
    return "\n".join("\n".join(_full(finding, context)) + "\n" for finding in findings)


def _full(finding: Finding, context: Context) -> Iterator[str]:
    yield from flowed(_headline(finding), context, hang=2)
    yield from _snippet(finding, context)
    for name, text in _remarks(finding):
        yield from flowed([("  = ", DIM), (f"{name}: ", DIM), *_ticked(text)], context, hang=4)


def _remarks(finding: Finding) -> Iterator[tuple[str, str]]:
    """Yield the evidence, what else is affected, the fix, and where to read more."""
    for piece in finding.evidence:
        yield piece.observer.value, piece.detail
    if any(f"`{name}`" not in finding.message for name in finding.affects):
        yield "affects", ", ".join(name for name in finding.affects if name != finding.parameter)
    if finding.fix is not None:
        yield "fix", f"{finding.fix.message} ({_FIXES[finding.fix.applicability]})"
    yield "see", finding.url or f"`initaudit rule {finding.code}`"


def _headline(finding: Finding) -> list[Piece]:
    color = _COLORS[finding.severity]
    return [
        (printable(finding.place.filename), _linked(BOLD, _address(finding.place.filename))),
        (f":{position(finding.place)}: ", ""),
        (finding.severity.value, color),
        (": ", ""),
        (finding.code, _linked(f"{BOLD};{color}", finding.url)),
        (" ", ""),
        *_ticked(finding.message),
    ]


def _ticked(text: str) -> Iterator[Piece]:
    """Yield the pieces of a text, with code in bold."""
    for number, part in enumerate(TICKS.split(printable(text))):
        yield part, BOLD if number % 2 else ""


def flowed(pieces: Iterable[Piece], context: Context, *, hang: int = 0) -> Iterator[str]:
    """Break a text at blanks to fit the terminal, if there is one; ``hang`` indents the later lines."""
    text, styles = "", list[str]()
    for piece, style in pieces:
        text += piece
        styles += [style] * len(piece)
    start, indent = 0, ""
    for end, following in _breaks(text, context.width, hang):
        runs = itertools.groupby(range(start, end), key=styles.__getitem__)
        yield indent + "".join(_painted("".join(text[n] for n in run), style, context) for style, run in runs)
        start, indent = following, " " * hang


def _breaks(text: str, width: int | None, hang: int) -> Iterator[tuple[int, int]]:
    """Yield where each line ends and the next begins."""
    if width is not None:
        room, column, last = width, 0, 0
        for blanks, start, end in _words(text, width - hang):
            taken = _width(text[start:end])
            if last and column + blanks + taken > room:
                yield last, start
                column, blanks, room = 0, 0, width - hang
            column += blanks + taken
            last = end
    yield len(text), len(text)


def _words(text: str, room: int) -> Iterator[tuple[int, int, int]]:
    """Yield the blanks before each word, its start and its end. A word longer than a line is split."""
    for word in WORD.finditer(text):
        blanks, start = _width(word["blanks"]), word.start("word")
        for at in range(start + 1, word.end()):
            if _width(text[start : at + 1]) > room:
                yield blanks, start, at
                blanks, start = 0, at
        yield blanks, start, word.end()


def _snippet(finding: Finding, context: Context) -> Iterator[str]:
    """Yield the rows of the finding with its span underlined, some rows before it, and the lines to add."""
    place, color = finding.place, _COLORS[finding.severity]
    shown = excerpt(place, context.sources.lines(place))
    if not shown.rows:
        return
    gutter = len(str(shown.rows[-1].row))
    room = None if context.width is None else max(LEAST_ROOM, context.width - gutter - 3)
    window = _Window(max(_width(row.text[: row.end]) for row in shown.rows), room)

    def beside(mark: object, text: str = "", style: str = DIM) -> str:
        return f"{_painted(f'{mark:>{gutter}} |', style, context)} {text}".rstrip()

    yield beside("")
    for row in shown.rows:
        yield beside(row.row, window.seen(_shown(row.text)))
        if row.marked:
            before, marks = _width(row.text[: row.start]), max(1, _width(row.text[row.start : row.end]))
            blanks, under = window.marks(before, marks)
            yield beside("", " " * blanks + _painted("^" * under, color, context))
    for line in additions(finding, shown.rows[-1].text if place.row == place.end_row else ""):
        yield beside("+", _painted(window.seen(_shown(line)), GREEN, context), GREEN)
    if shown.cut:
        yield beside("", "...")
    yield beside("")


class _Window:
    """The columns of source that fit the terminal, shifted right if needed to show the end of the span."""

    def __init__(self, end: int, room: int | None) -> None:
        self.room = room
        self.start = 0 if room is None or end <= room - 1 else max(0, end + 1 - room)

    def seen(self, text: str) -> str:
        """Return the part of a line in the window, with a mark where the line is cut."""
        if self.room is None:
            return text
        columns = [character for character in text for _ in range(_columns(character))]
        cut = columns[self.start :]
        if not self.start and len(cut) <= self.room:
            return text
        begin, at = self.start + bool(self.start), 0
        kept: list[str] = []
        for character in text:
            wide = _columns(character)
            if at >= begin and at + wide <= self.start + self.room - 1:
                kept += [character] if kept else [" " * (at - begin), character]  # half of a wide one is a blank
            at += wide
        lead = CUT if self.start and len(columns) > self.start else ""
        tail = CUT if at > self.start + self.room - 1 else ""
        return lead + "".join(kept) + tail

    def marks(self, before: int, count: int) -> tuple[int, int]:
        """Return the number of blanks and of marks that underline a span."""
        if self.room is None:
            return before, count
        first = min(max(before, self.start), self.start + self.room - 1)
        last = min(before + count, self.start + self.room)
        return first - self.start, max(1, last - first)


def additions(finding: Finding, line: str) -> list[str]:
    """Return the lines to add below a finding: those of its fix, or the advised call for the assigned attribute."""
    if finding.fix is not None and finding.fix.edits:
        return _added_below(finding.fix.edits, finding.place.end_row)
    if len(finding.advice) != 1:
        return []
    (advice,) = finding.advice
    if str(advice) not in finding.message:  # something else has to be done first
        return []
    try:
        (statement,) = ast.parse(line.strip()).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):  # not a statement by itself
        return []
    match statement:
        case (
            ast.Assign(targets=[ast.Attribute() as target])
            | ast.AnnAssign(target=ast.Attribute() as target, value=ast.expr())
        ):
            name = ast.unparse(target)
        case _:
            return []
    if not f"{advice.target}.".startswith(f"{name}."):
        return []
    return [line[: len(line) - len(line.lstrip())] + str(advice)]


def _added_below(edits: Sequence[Edit], row: int) -> list[str]:
    """Return the lines that edits insert below a row; empty if they do anything else."""
    for edit in edits:
        place = edit.place
        inserts = (place.row, place.column) == (place.end_row, place.end_column)
        starts = place.row == row and edit.content.startswith(("\n", "\r"))
        if not inserts or not (starts or (place.row, place.column) == (row + 1, 1)):
            return []
    return [line for edit in edits for line in edit.content.splitlines() if line.strip()]


def _shown(line: str) -> str:
    return printable(line.replace("\t", TAB))


def _width(text: str) -> int:
    """Return the width of a text, in columns of a terminal."""
    return sum(map(_columns, _shown(text)))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _painted(text: str, style: str, context: Context) -> str:
    style, _, address = style.partition(LINKED)
    text = f"\x1b[{style}m{text}\x1b[0m" if context.color and style and text else text
    return f"\x1b]8;;{address}\x1b\\{text}\x1b]8;;\x1b\\" if context.links and address and text else text


def _linked(style: str, address: str) -> str:
    """Return a style that links to an address, on terminals with links."""
    return f"{style}{LINKED}{address}" if address else style


def _address(filename: str) -> str:
    """Return the address of a file; empty if there is no such file."""
    path = Path(filename).absolute()
    return path.as_uri() if path.is_file() else ""
