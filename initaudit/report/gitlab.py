"""GitLab's Code Quality report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from initaudit.finding import Finding, Severity
from initaudit.report.base import Context, json_text

_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.NOTE: "info"}


def gitlab(findings: Sequence[Finding], context: Context) -> str:
    """Return an array of issues; files are relative to the root of the repository."""
    issues = [
        {
            "check_name": finding.code,
            "description": f"{finding.code}: {finding.message}",
            **_content(finding, context),
            "severity": _SEVERITIES[finding.severity],
            "fingerprint": finding.fingerprint,
            "location": {
                "path": context.relative(finding.place.filename),
                "positions": {
                    "begin": {"line": finding.place.row, "column": finding.place.column},
                    "end": {"line": finding.place.end_row, "column": finding.place.end_column},
                },
            },
        }
        for finding in findings
    ]
    return json_text(issues, indent=2)


def _content(finding: Finding, context: Context) -> dict[str, Any]:
    """Return the documentation of the rule, as Markdown."""
    rule = context.rules.get(finding.code)
    return {"content": {"body": rule.documentation}} if rule is not None else {}
