"""The pre-commit hook runs a command that exists, and leaves out what is excluded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from initaudit.cli import main

HOOKS = Path(__file__).parent.parent.parent / ".pre-commit-hooks.yaml"


def hook() -> dict[str, str]:
    """The keys of the only hook; the file is flat enough to be read line by line."""
    return dict(re.findall(r"^[- ] (\w+): (.+)$", HOOKS.read_text(encoding="utf-8"), re.MULTILINE))


def command() -> list[str]:
    program, *subcommand = hook()["entry"].split()
    assert program == "initaudit"
    return [*subcommand, *hook()["args"].strip("[]").split(", ")]


def test_the_hook_installs_by_itself_and_runs_once_for_all_files() -> None:
    assert hook()["id"] == "initaudit"
    assert (hook()["language"], hook()["require_serial"]) == ("python", "true")
    assert hook()["types_or"] == "[python, jupyter]"


def test_the_hook_leaves_out_excluded_files_although_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "initaudit.toml").write_text("exclude = ['gen']\n", encoding="utf-8")
    (tmp_path / "gen").mkdir()
    for name in ("gen/broken.py", "broken.py"):
        (tmp_path / name).write_text("import torch\nw = torch.empty(\n", encoding="utf-8")
    assert CliRunner().invoke(main, [*command(), "gen/broken.py"]).exit_code == 0
    both = CliRunner().invoke(main, [*command(), "gen/broken.py", "broken.py"])
    assert both.exit_code == 1
    assert "gen/broken.py" not in both.stdout
