"""Write findings as text, JSON, SARIF and the formats of code hosts. Knows nothing about how they were found."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from initaudit.finding import Finding
from initaudit.report.base import Context, Format, in_file

# The name of a format, and the module and function that write it.
FORMATS = {
    "full": "text:full",
    "concise": "text:concise",
    "json": "plain_json:array",
    "json-lines": "plain_json:json_lines",
    "sarif": "sarif:sarif",
    "github": "workflow_commands:github",
    "gitlab": "gitlab:gitlab",
    "junit": "junit:junit",
    "rdjson": "rdjson:rdjson",
    "markdown": "markdown:markdown",
    "azure": "workflow_commands:azure",
}
KNOW_CELLS = frozenset({"full", "concise", "json", "json-lines", "markdown"})
"""Formats that give rows within a cell. All others give rows of the file."""


def render(name: str, findings: Sequence[Finding], context: Context) -> str:
    """Return the findings in a format, with a final newline unless empty."""
    module, _, function = FORMATS[name].partition(":")
    write: Format = getattr(importlib.import_module(f"{__name__}.{module}"), function)
    text = write(findings if name in KNOW_CELLS else [in_file(one, context.sources) for one in findings], context)
    return text if not text or text.endswith("\n") else text + "\n"
