"""What a format receives besides the findings: sources, descriptions of rules, and whether to use color."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from initaudit.finding import Category, Finding, Place, Severity
from initaudit.sources.files import Sources

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_HALF = re.compile(r"[\ud800-\udfff]")


class RuleCard(msgspec.Struct, frozen=True, kw_only=True):
    """The description of a rule, for reports."""

    code: str
    name: str
    summary: str
    documentation: str
    severity: Severity
    category: Category
    url: str


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The context of a report.

    ``root`` is the root of the repository that holds all files; ``relative`` returns a file name relative to the root
    of its own repository. ``width`` is that of the terminal, None without one; ``links`` says whether it shows links.
    """

    version: str
    root: Path
    relative: Callable[[str], str]
    rules: Mapping[str, RuleCard] = {}
    sources: Sources = Sources()
    color: bool = False
    width: int | None = None
    links: bool = False


Format = Callable[[Sequence[Finding], Context], str]


def position(place: Place) -> str:
    """Format the start of a place: `row:column`, or `cell 3:row:column`."""
    cell = f"cell {place.cell}:" if place.cell is not None else ""
    return f"{cell}{place.row}:{place.column}"


def in_file(finding: Finding, sources: Sources) -> Finding:
    """Return a finding for formats that know only rows of files: one in a cell is placed in the notebook's file.

    The message then names the cell. The fix is dropped, since it edits the text of the cell.
    """
    place = finding.place
    if place.cell is None:
        return finding
    message = f"{position(place)}: {finding.message}"
    return msgspec.structs.replace(finding, place=sources.in_file(place), message=message, fix=None)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Return JSON that UTF-8 can encode: lone surrogates, as of undecodable file names, are replaced."""
    return _HALF.sub("\N{REPLACEMENT CHARACTER}", json.dumps(value, indent=indent, ensure_ascii=False)) + "\n"


def printable(text: str) -> str:
    """Replace characters that move the cursor, end the line or change the writing direction of a terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def printable_lines(text: str) -> str:
    """Make each line of a text printable, and no line a command of a CI service such as `::error::` on GitHub."""
    lines = map(printable, text.split("\n"))
    return "\n".join(f"| {line}" if line.lstrip().startswith(("::", "##[")) else line for line in lines)
