"""Who follows docs/contributing.md in a fresh copy gets two rules that work, and nothing else has to be touched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "docs" / "contributing.md"
BLOCK = re.compile(
    r"`(?P<file>(?:initaudit|fixtures)/[\w/]+\.py)`[^`]*(?:`[^`\n]+`[^`]*)*?\n```python\n(?P<text>.*?)^```$",
    re.S | re.M,
)

pytestmark = pytest.mark.skipif(not GUIDE.exists(), reason="docs/ is not part of a release")


def run(copy: Path, *command: str) -> str:
    """The output of a command in the copy, which has to succeed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(copy), *sys.path])}
    ran = subprocess.run([sys.executable, *command], cwd=copy, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_walk_leads_to_two_rules(tmp_path: Path) -> None:
    for room in ("initaudit", "fixtures", "docs", "tests"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    guide = GUIDE.read_text(encoding="utf-8")
    before = {file: file.read_text(encoding="utf-8") for file in tmp_path.rglob("*.py")}
    made = [
        line
        for command in re.findall(r"^    python (docs/scaffold.*)$", guide, re.MULTILINE)
        for line in _made(tmp_path, command)
    ]
    calls = tmp_path / "initaudit" / "subjects" / "calls.py"
    written: list[Path] = []
    for block in BLOCK.finditer(guide):
        file = tmp_path / block["file"]
        assert file in made, f"the scaffold does not make {block['file']}"
        text = block["text"]
        file.write_text(before[file] + "\n\n" + text if file in before else text, encoding="utf-8")
        written.append(file)
    assert sorted(set(written)) == sorted(set(made)) and calls in written
    assert {file for file, text in before.items() if file.read_text(encoding="utf-8") != text} == {calls}
    tests = [
        "tests/test_rule_examples.py",
        "tests/test_fixtures.py",
        "tests/analyzer/test_readers.py",
        "tests/test_walls.py",
    ]
    chosen = "INI499 or INI699 or reader or every or fact or vocabulary or unique"
    passed = run(tmp_path, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "-rp", *tests, "-k", chosen)
    for name in (
        "INI499-invalid-0",
        "INI499-valid-0",
        "INI699-invalid-0",
        "INI699-valid-0",
        "INI499_zero_gain",
        "INI699_default_type",
    ):
        assert re.search(rf"PASSED .*{name}", passed), name


def _made(copy: Path, command: str) -> list[Path]:
    """The files that the scaffold says it makes."""
    import shlex

    return [Path(line) for line in run(copy, *shlex.split(command)).splitlines()]


def test_the_scaffold_overwrites_nothing_and_says_what_it_lacks(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "initaudit" / "subjects", tmp_path / "initaudit" / "subjects")
    for folder in ("initaudit/rules", "initaudit/analyzer/readers", "fixtures"):
        (tmp_path / folder).mkdir(parents=True)
    scaffold = [sys.executable, str(ROOT / "docs" / "scaffold.py"), "INI499", "zero-gain"]

    def said(*arguments: str) -> str:
        ran = subprocess.run([*scaffold, *arguments, "--root", str(tmp_path)], capture_output=True, text=True)
        return ran.stdout + ran.stderr

    assert "Unknown is no subject yet: say with --family" in said("Unknown")
    assert "a reader needs --words" in said("Unknown", "--family", "calls")
    assert "rules/zero_gain.py" in said("InitializerCall")
    assert "zero_gain.py exists" in said("InitializerCall")
