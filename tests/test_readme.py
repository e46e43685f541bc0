"""The README says what is so. Run as a script, this file rewrites the README's table of rules."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
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
SHOWN = re.compile(r"^<!-- shown -->\n```text\n(.+?)\n```$", re.MULTILINE | re.DOTALL)
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
    own = re.sub(r" -- .*", "", README.read_text(encoding="utf-8"))  # what stands behind is for the target
    own = re.sub(r"torchrun .*? -m", "", own)  # these are for torchrun
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", own))
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


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudoterminal")
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the probe runs with torch")
def test_the_first_command_shows_on_a_terminal_what_the_readme_shows() -> None:
    import fcntl
    import pty
    import struct
    import termios

    _, _, run = command("run").partition(" && ")
    program, *arguments = shlex.split(run)
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    with subprocess.Popen(
        [sys.executable, "-m", program, *arguments, "--no-cache", "--color", "never"],
        cwd=ROOT,
        env=environment,
        stdout=writer,
        stderr=subprocess.DEVNULL,
    ):
        os.close(writer)
        seen = b""
        with contextlib.suppress(OSError):  # the end of what a terminal shows
            while part := os.read(reader, 1 << 16):
                seen += part
    os.close(reader)
    found = SHOWN.search(README.read_text(encoding="utf-8"))
    assert found is not None
    told = iter(unmeasured(seen.decode()))
    assert all(line in told for line in unmeasured(found[1])), seen.decode()


def unmeasured(text: str) -> list[list[str]]:
    """The lines of a text without what depends on the machine: measured numbers, and the columns that they take."""
    return [re.sub(r"[▁▂▃▄▅▆▇█·]+|[ ─]+|\d+\.\d{3,}", " ", line).split() for line in text.splitlines() if line]


def test_the_version_in_the_changelog_is_the_packages() -> None:
    import initaudit

    assert f"\n## {initaudit.__version__} - " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


if __name__ == "__main__":
    README.write_text(TABLE.sub(lambda _: table(), README.read_text(encoding="utf-8")), encoding="utf-8")
