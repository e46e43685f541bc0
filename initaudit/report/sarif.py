"""SARIF 2.1.0, for code scanning: one run, its rules, results with fixes and fingerprints."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from initaudit import finding as vocabulary
from initaudit.finding import Applicability, Finding, Fix, Place
from initaudit.report.base import Context, RuleCard, json_text

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"


def sarif(findings: Sequence[Finding], context: Context) -> str:
    """The log of one run."""
    codes = sorted({finding.code for finding in findings})
    index = {code: position for position, code in enumerate(codes)}
    driver: dict[str, Any] = {
        "name": "initaudit",
        "version": context.version,
        "semanticVersion": context.version,
        "rules": [_rule(context.rules[code]) if code in context.rules else {"id": code} for code in codes],
    }
    if vocabulary.DOCUMENTATION_URL:
        driver["informationUri"] = vocabulary.DOCUMENTATION_URL
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {ROOT: {"uri": context.root.as_uri().rstrip("/") + "/"}},
        "results": [_result(finding, index, context) for finding in findings],
    }
    return json_text({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(rule: RuleCard) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.summary},
        "help": {"text": rule.documentation, "markdown": rule.documentation},
        **({"helpUri": rule.url} if rule.url else {}),
        "defaultConfiguration": {"level": rule.severity.value},
        "properties": {
            "tags": [rule.category.value],
            "category": rule.category.value,
            "problem.severity": _problem(rule),
        },
    }


def _problem(rule: RuleCard) -> str:
    """The severity under the name that code scanning sorts by."""
    return "recommendation" if rule.severity.value == "note" else rule.severity.value


def _result(finding: Finding, index: Mapping[str, int], context: Context) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": index[finding.code],
        "level": finding.severity.value,
        "message": {"text": finding.message},
        "locations": [_location(finding, context)],
        "partialFingerprints": {"initaudit/v1": finding.fingerprint},
        "properties": {
            "evidence": [{"observer": piece.observer.value, "detail": piece.detail} for piece in finding.evidence],
            "affects": list(finding.affects),
        },
    }
    if finding.fix and finding.fix.edits and finding.fix.applicability is not Applicability.DISPLAY:
        result["fixes"] = [_fix(finding.fix, context)]
    return result


def _location(finding: Finding, context: Context) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": _artifact(finding.place.filename, context),
            "region": _region(finding.place),
        }
    }
    if finding.model:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.model, "kind": "type"}]
    return location


def _fix(fix: Fix, context: Context) -> dict[str, Any]:
    replacements = [
        {"deletedRegion": _region(edit.place), "insertedContent": {"text": edit.content}} for edit in fix.edits
    ]
    change = {"artifactLocation": _artifact(fix.edits[0].place.filename, context), "replacements": replacements}
    return {"description": {"text": fix.message}, "artifactChanges": [change]}


def _artifact(filename: str, context: Context) -> dict[str, Any]:
    """Return a path relative to the root of the repository, or an absolute URI outside it."""
    real = Path(os.path.realpath(filename))
    if not real.is_relative_to(context.root):
        return {"uri": real.as_uri()}
    return {"uri": quote(os.fsencode(real.relative_to(context.root).as_posix())), "uriBaseId": ROOT}


def _region(place: Place) -> dict[str, int]:
    return {
        "startLine": place.row,
        "startColumn": place.column,
        "endLine": place.end_row,
        "endColumn": place.end_column,
    }
