"""Markdown for summaries of CI jobs and reviews: one row per finding."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from initaudit.finding import Finding, Severity
from initaudit.report.base import Context, position, printable

_SPECIAL = re.compile(r"([\\|<>*_\[\]])")
_TICKED = re.compile(r"(`[^`]+`)")
HEAD = "| | where | rule | what |\n|---|---|---|---|\n"


def markdown(findings: Sequence[Finding], context: Context) -> str:
    """Return a heading that counts the findings, and a table of them."""
    counts = Counter(finding.severity for finding in findings)
    counted = [f"{counts[one]} {one.value}{'s' * (counts[one] > 1)}" for one in reversed(Severity) if counts[one]]
    heading = f"### initaudit: {', '.join(counted) or 'nothing found'}\n"
    return heading + (f"\n{HEAD}{''.join(map(_row, findings))}" if findings else "")


def _row(finding: Finding) -> str:
    where = f"{printable(finding.place.filename)}:{position(finding.place)}"
    rule = f"[{finding.code}]({finding.url})" if finding.url else finding.code
    return f"| {finding.severity.value} | {escaped(where)} | {rule} {finding.name} | {escaped(finding.message)} |\n"


def escaped(text: str) -> str:
    """Escape a text for a cell of a table, except for its code."""
    parts = _TICKED.split(printable(text))
    return "".join(
        part.replace("|", r"\|") if number % 2 else _SPECIAL.sub(r"\\\1", part) for number, part in enumerate(parts)
    )
