"""For people: one line each (`concise`), or with the source, the span underlined, and what was seen (`full`)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from initaudit.finding import Applicability, Finding, Severity
from initaudit.report.base import Context, position, printable
from initaudit.report.excerpt import excerpt

_COLORS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}
_FIXES = {
    Applicability.SAFE: "`--fix` does it",
    Applicability.UNSAFE: "`--fix --unsafe-fixes` does it, and may change behaviour",
    Applicability.DISPLAY: "by hand",
}
TAB = "    "


def concise(findings: Sequence[Finding], context: Context) -> str:
    """``path:row:column: severity: CODE message``."""
    return "".join(f"{_headline(finding, context)}\n" for finding in findings)


def full(findings: Sequence[Finding], context: Context) -> str:
    """The finding, its source, the evidence, and the fix."""
    return "\n".join("\n".join(_full(finding, context)) + "\n" for finding in findings)


def _full(finding: Finding, context: Context) -> Iterator[str]:
    yield _headline(finding, context)
    yield from _snippet(finding, context)
    for piece in finding.evidence:
        yield f"  = {piece.observer.value}: {printable(piece.detail)}"
    unnamed = [name for name in finding.affects if f"`{name}`" not in finding.message]
    if unnamed:
        yield f"  = affects: {printable(', '.join(unnamed))}"
    if finding.fix is not None:
        yield f"  = fix: {printable(finding.fix.message)} ({_FIXES[finding.fix.applicability]})"
    yield f"  = see: {finding.url or f'`initaudit rule {finding.code}`'}"


def _headline(finding: Finding, context: Context) -> str:
    severity = _painted(finding.severity.value, _COLORS[finding.severity], context)
    return f"{_where(finding, context)}: {severity}: {_what(finding, context)}"


def _where(finding: Finding, context: Context) -> str:
    return f"{_painted(printable(finding.place.filename), '1', context)}:{position(finding.place)}"


def _what(finding: Finding, context: Context) -> str:
    return f"{_painted(finding.code, f'1;{_COLORS[finding.severity]}', context)} {printable(finding.message)}"


def _snippet(finding: Finding, context: Context) -> Iterator[str]:
    """The rows of the finding with its span underlined, and a little of what comes before."""
    place = finding.place
    shown = excerpt(place, context.sources.lines(place))
    if not shown.rows:
        return
    gutter = len(str(shown.rows[-1].row))
    yield f"{' ' * gutter} |"
    for row in shown.rows:
        yield f"{row.row:>{gutter}} | {_shown(row.text)}".rstrip()
        if row.marked:
            marks = "^" * max(1, _width(row.text[row.start : row.end]))
            before = " " * _width(row.text[: row.start])
            yield f"{' ' * gutter} | {before}{_painted(marks, _COLORS[finding.severity], context)}"
    if shown.cut:
        yield f"{' ' * gutter} | ..."
    yield f"{' ' * gutter} |"


def _shown(line: str) -> str:
    return printable(line.replace("\t", TAB))


def _width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    shown = _shown(text)
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in shown) - sum(
        1 for character in shown if unicodedata.combining(character)
    )


def _painted(text: str, style: str, context: Context) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if context.color else text
