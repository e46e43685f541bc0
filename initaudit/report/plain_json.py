"""JSON: an array of findings, or one finding per line. Its fields are a public interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from initaudit.finding import Finding, Fix, Place
from initaudit.report.base import Context, json_text


def array(findings: Sequence[Finding], context: Context) -> str:
    """Return all findings as one array."""
    return json_text([as_json(finding) for finding in findings], indent=2)


def json_lines(findings: Sequence[Finding], context: Context) -> str:
    """Return one finding per line."""
    return "".join(json_text(as_json(finding)) for finding in findings)


def as_json(finding: Finding) -> dict[str, Any]:
    """Return one finding as a dictionary."""
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity.value,
        "category": finding.category.value,
        "message": finding.message,
        "url": finding.url or None,
        "filename": finding.place.filename,
        "cell": finding.place.cell,
        **_span(finding.place),
        "model": finding.model,
        "parameter": finding.parameter,
        "affects": list(finding.affects),
        "evidence": [{"observer": piece.observer.value, "detail": piece.detail} for piece in finding.evidence],
        "fix": _fix(finding.fix) if finding.fix else None,
        "fingerprint": finding.fingerprint,
    }


def finding(document: dict[str, Any]) -> Finding:
    """Return the finding in a dictionary, without its fix; raises KeyError, TypeError or msgspec.ValidationError."""
    start, end = document["location"], document["end_location"]
    place = Place(document["filename"], start["row"], start["column"], end["row"], end["column"], document["cell"])
    fields = {name: value for name, value in document.items() if name in Finding.__struct_fields__}
    pieces = {**fields, "url": document["url"] or "", "fix": None, "place": msgspec.to_builtins(place)}
    return msgspec.convert(pieces, Finding)


def _fix(fix: Fix) -> dict[str, Any]:
    return {
        "applicability": fix.applicability.value,
        "message": fix.message,
        "edits": [{"content": edit.content, **_span(edit.place)} for edit in fix.edits],
    }


def _span(place: Place) -> dict[str, Any]:
    return {
        "location": {"row": place.row, "column": place.column},
        "end_location": {"row": place.end_row, "column": place.end_column},
    }
