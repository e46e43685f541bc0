"""What a format may know besides the findings: where sources are, what rules are called, whether to paint."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from initaudit.files import Sources
from initaudit.finding import Category, Finding, Place, Severity

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_HALF = re.compile(r"[\ud800-\udfff]")


class RuleCard(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says of a rule."""

    code: str
    name: str
    summary: str
    documentation: str
    severity: Severity
    category: Category
    url: str


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Where a report is made.

    ``root`` is the root of the repository that the files lie in, ``relative`` names a file relative to that of its own.
    ``width`` is that of the terminal, None where there is none; ``links`` says whether it shows links.
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
    """Where in its file a place begins: `row:column`, or `cell 3:row:column`."""
    cell = f"cell {place.cell}:" if place.cell is not None else ""
    return f"{cell}{place.row}:{place.column}"


def in_file(finding: Finding, sources: Sources) -> Finding:
    """A finding for who knows the rows of files only: one in a cell is placed in the file of its notebook.

    The message names the cell. A fix, which is of the text of the cell, is left out.
    """
    place = finding.place
    if place.cell is None:
        return finding
    message = f"{position(place)}: {finding.message}"
    return msgspec.structs.replace(finding, place=sources.in_file(place), message=message, fix=None)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON that can be written in UTF-8: where the bytes of a name are no text, nobody could read it otherwise."""
    return _HALF.sub("\N{REPLACEMENT CHARACTER}", json.dumps(value, indent=indent, ensure_ascii=False)) + "\n"


def printable(text: str) -> str:
    """Text without characters that move the cursor, end the line or change the direction of a terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def printable_lines(text: str) -> str:
    """Make each line of a text printable; none is a command to whoever runs it, as `::error::` is on GitHub."""
    lines = map(printable, text.split("\n"))
    return "\n".join(f"| {line}" if line.lstrip().startswith(("::", "##[")) else line for line in lines)
