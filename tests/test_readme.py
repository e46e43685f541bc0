"""The README says what is so. Run as a script, this file rewrites the README's table of rules."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from initaudit.cli import main
from initaudit.rules import catalogue
from initaudit.rules.base import AnyRule

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TABLE = re.compile(r"(?<=<!-- rules -->\n).*?(?=<!-- /rules -->)", re.DOTALL)


def table() -> str:
    """The table of rules, from the rules."""
    head = "| code | name | category | seen by | default | severity | reports |\n|---|---|---|---|---|---|---|\n"
    return head + "".join(f"| {' | '.join(row(rule))} |\n" for rule in catalogue().values())


def row(rule: AnyRule) -> list[str]:
    observers = "+".join(sorted(observer.value[0].upper() for observer in rule.observers))
    reports = rule.summary().removeprefix("Reports ").replace("|", "\\|")
    trying = "+".join(sorted(observer.value[0].upper() for observer in rule.trying))
    default = f"{rule.default.value}, {trying} preview" if trying else rule.default.value
    return [rule.code, rule.name, rule.category.value, observers, default, rule.severity.value, reports]


def command(marker: str) -> str:
    """The code block that follows a marker."""
    found = re.search(rf"^<!-- {marker} -->\n```bash\n(.+?)\n```$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"README.md has no block marked {marker}"
    return found[1]


def test_the_table_of_rules_is_that_of_the_catalogue() -> None:
    found = TABLE.search(README.read_text(encoding="utf-8"))
    assert found is not None
    assert found[0] == table(), "run `python tests/test_readme.py`"


@pytest.mark.parametrize("marker", ["run", "test"])
def test_a_command_is_one_line_that_installs_and_runs(marker: str) -> None:
    install, _, run = command(marker).partition(" && ")
    assert install.startswith("python -m pip install -c constraints.txt ")
    assert run and "\n" not in run


def test_every_flag_that_is_mentioned_exists() -> None:
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README.read_text(encoding="utf-8")))
    context = click.Context(main)
    commands = [main.get_command(context, name) for name in main.list_commands(context)]
    known = {flag for each in commands if each for parameter in each.params for flag in parameter.opts}
    assert mentioned and mentioned <= known


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the probe runs with torch")
def test_the_first_command_shows_findings_of_both_observers() -> None:
    _, _, run = command("run").partition(" && ")
    program, *arguments = shlex.split(run)
    outcome = subprocess.run(
        [sys.executable, "-m", program, *arguments, "--output-format", "json", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    findings = json.loads(outcome.stdout)
    assert [finding["code"] for finding in findings] == ["INI101", "INI401", "INI201", "INI301", "INI305"]
    observers = {finding["code"]: {e["observer"] for e in finding["evidence"]} for finding in findings}
    assert observers["INI101"] == observers["INI401"] == {"analyzer", "probe"}
    assert observers["INI301"] == {"analyzer"}


def test_the_version_in_the_changelog_is_the_packages() -> None:
    import initaudit

    assert f"\n## {initaudit.__version__} - " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


if __name__ == "__main__":
    README.write_text(TABLE.sub(lambda _: table(), README.read_text(encoding="utf-8")), encoding="utf-8")
