"""JUnit XML: a suite for each file, a failing case for each finding."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from initaudit.finding import Finding
from initaudit.report.base import Context

# Characters that XML 1.0 forbids, even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(findings: Sequence[Finding], context: Context) -> str:
    """Return all suites; a single passing case if there are no findings."""
    root = Element(
        "testsuites", name="initaudit", tests=str(max(1, len(findings))), failures=str(len(findings)), errors="0"
    )
    if not findings:
        suite = SubElement(root, "testsuite", name="initaudit", tests="1", failures="0", errors="0")
        SubElement(suite, "testcase", name="no findings", classname="initaudit")
    for filename, group in groupby(findings, key=lambda finding: finding.place.filename):
        cases = list(group)
        count = str(len(cases))
        suite = SubElement(root, "testsuite", name=_legal(filename), tests=count, failures=count, errors="0")
        for finding in cases:
            _case(suite, finding)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _case(suite: Element, finding: Finding) -> None:
    place = finding.place
    case = SubElement(
        suite,
        "testcase",
        name=f"{finding.code} {finding.name}",
        classname=_legal(place.filename),
        file=_legal(place.filename),
        line=str(place.row),
    )
    failure = SubElement(case, "failure", type=finding.severity.value, message=_legal(finding.message))
    failure.text = _legal(f"{place.filename}:{place.row}:{place.column}: {finding.code} {finding.message}")


def _legal(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
