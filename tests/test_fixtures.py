"""Every file of fixtures/ is reported exactly where its markers say, and nowhere else."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from initaudit.cli import main
from initaudit.rules import catalogue
from initaudit.rules.base import Default

FIXTURES = Path(__file__).parent.parent / "fixtures"
MARKER = re.compile(r"# (finds|misses): (INI\d{3}(?:, INI\d{3})*)")

Sites = set[tuple[int, str]]


def marked(file: Path, kind: str) -> Sites:
    """The rows and codes that a file marks."""
    return {
        (row, code)
        for row, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        for found, codes in MARKER.findall(line)
        if found == kind
        for code in codes.split(", ")
    }


def reported(file: Path) -> list[tuple[int, str]]:
    """The rows and codes that the tool reports: the default selection, and the rule that the file is named after.

    Each file is read alone: beside the others, what one calls on any module would speak for another.
    """
    flags = ["--isolated", "--no-cache", "--output-format", "json"]
    judged = {code for code, rule in catalogue().items() if rule.default is Default.ON}
    if named := re.match(r"INI\d{3}", file.name):
        flags += ["--preview", "--extend-select", named[0]]
        judged.add(named[0])
    with tempfile.TemporaryDirectory() as folder:
        alone = shutil.copy(file, folder)
        outcome = CliRunner().invoke(main, ["check", alone, *flags])
    assert outcome.exit_code in (0, 1), outcome.output
    found = [(finding["location"]["row"], finding["code"]) for finding in json.loads(outcome.stdout)]
    return [(row, code) for row, code in found if code in judged]


@pytest.mark.parametrize("file", sorted(FIXTURES.glob("*.py")), ids=lambda file: file.stem)
def test_a_fixture_is_reported_where_it_says(file: Path) -> None:
    found = reported(file)
    assert len(found) == len(set(found)), "one bug, one finding"
    assert set(found) - marked(file, "misses") == marked(file, "finds")


@pytest.mark.parametrize("file", sorted(FIXTURES.glob("*.py")), ids=lambda file: file.stem)
def test_a_bug_that_is_marked_as_missed_is_still_missed(file: Path) -> None:
    assert not set(reported(file)) & marked(file, "misses")


def test_every_rule_that_reads_source_has_a_fixture_that_it_finds() -> None:
    exercised = {code for file in FIXTURES.glob("*.py") for _, code in marked(file, "finds")}
    reads = {code for code, rule in catalogue().items() if any(o.value == "analyzer" for o in rule.observers)}
    assert reads <= exercised
