"""Log commands that GitHub Actions and Azure Pipelines show as annotations of the code."""

from __future__ import annotations

from collections.abc import Sequence

from initaudit.finding import Finding, Severity
from initaudit.report.base import Context

_GITHUB = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_AZURE = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "warning"}


def github(findings: Sequence[Finding], context: Context) -> str:
    """Return ``::error file=...,line=...::message`` per finding; files are relative to the root of the repository."""
    return "".join(_github(finding, context) + "\n" for finding in findings)


def azure(findings: Sequence[Finding], context: Context) -> str:
    """Return ``##vso[task.logissue type=error;...]message`` per finding; notes become warnings."""
    return "".join(_azure(finding, context) + "\n" for finding in findings)


def _github(finding: Finding, context: Context) -> str:
    place = finding.place
    properties = {
        "title": f"initaudit ({finding.code})",
        "file": context.relative(place.filename),
        "line": place.row,
        "endLine": place.end_row,
    }
    if place.row == place.end_row:  # GitHub accepts columns only within one line
        properties |= {"col": place.column, "endColumn": place.end_column}
    written = ",".join(f"{key}={_github_property(str(value))}" for key, value in properties.items())
    return f"::{_GITHUB[finding.severity]} {written}::{_github_data(_line(finding, context))}"


def _line(finding: Finding, context: Context) -> str:
    """Return the message as a line of a plain log."""
    place = finding.place
    return f"{context.relative(place.filename)}:{place.row}:{place.column}: {finding.code} {finding.message}"


def _github_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _github_property(text: str) -> str:
    return _github_data(text).replace(":", "%3A").replace(",", "%2C")


def _azure(finding: Finding, context: Context) -> str:
    place = finding.place
    properties = {
        "type": _AZURE[finding.severity],
        "sourcepath": place.filename,
        "linenumber": place.row,
        "columnnumber": place.column,
        "code": finding.code,
    }
    written = "".join(f"{key}={_azure_property(str(value))};" for key, value in properties.items())
    return f"##vso[task.logissue {written}]{_azure_data(finding.message)}"


def _azure_data(text: str) -> str:
    return text.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")


def _azure_property(text: str) -> str:
    return _azure_data(text).replace(";", "%3B").replace("]", "%5D")
