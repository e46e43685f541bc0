"""Reviewdog's diagnostic format, whose columns count bytes of UTF-8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from initaudit import finding as vocabulary
from initaudit.finding import Applicability, Finding, Place, Severity
from initaudit.report.base import Context, json_text

_SEVERITIES = {Severity.ERROR: "ERROR", Severity.WARNING: "WARNING", Severity.NOTE: "INFO"}


def rdjson(findings: Sequence[Finding], context: Context) -> str:
    """All findings as diagnostics."""
    result = {
        "source": _linked({"name": "initaudit"}, vocabulary.DOCUMENTATION_URL),
        "diagnostics": [_diagnostic(finding, context) for finding in findings],
    }
    return json_text(result, indent=2)


def _diagnostic(finding: Finding, context: Context) -> dict[str, Any]:
    diagnostic: dict[str, Any] = {
        "message": finding.message,
        "severity": _SEVERITIES[finding.severity],
        "code": _linked({"value": finding.code}, finding.url),
        "location": {"path": finding.place.filename, "range": _range(finding.place, context)},
    }
    if finding.fix and finding.fix.applicability is not Applicability.DISPLAY:
        diagnostic["suggestions"] = [
            {"range": _range(edit.place, context), "text": edit.content} for edit in finding.fix.edits
        ]
    return diagnostic


def _linked(value: dict[str, Any], url: str) -> dict[str, Any]:
    """A value with its address, where it has one."""
    return value | {"url": url} if url else value


def _range(place: Place, context: Context) -> dict[str, Any]:
    return {
        "start": {"line": place.row, "column": _byte_column(place, place.row, place.column, context)},
        "end": {"line": place.end_row, "column": _byte_column(place, place.end_row, place.end_column, context)},
    }


def _byte_column(place: Place, row: int, column: int, context: Context) -> int:
    before = context.sources.line(msgspec.structs.replace(place, row=row))[: column - 1]
    return column + len(before.encode("utf-8", "surrogatepass")) - len(before)
