"""The pre-commit hook runs a command that exists, and leaves out what is excluded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from initaudit.cli import main

HOOKS = Path(__file__).parent.parent.parent / ".pre-commit-hooks.yaml"


def hook(number: int = 0) -> dict[str, str]:
    """The keys of a hook; the file is flat enough to be read line by line."""
    text = HOOKS.read_text(encoding="utf-8").split("- id:")[number + 1]
    return dict(re.findall(r"^[- ] (\w+): (.+)$", f"- id:{text}", re.MULTILINE))


def command() -> list[str]:
    """What runs, whatever `args` a project gives: they would take the place of the hook's own."""
    assert "args" not in hook()
    program, *arguments = hook()["entry"].split()
    assert program == "initaudit"
    return arguments


def test_the_hook_installs_by_itself_and_runs_once_for_all_files() -> None:
    assert hook()["id"] == "initaudit"
    assert (hook()["language"], hook()["require_serial"]) == ("python", "true")
    assert hook()["types_or"] == "[python, jupyter]"


def test_the_hook_that_fixes_is_the_other_one_with_a_flag() -> None:
    mending, checking = hook(1), hook(0)
    assert mending["id"] == "initaudit-fix"
    assert mending["entry"] == f"{checking['entry']} --fix"
    assert [mending[key] for key in ("language", "types_or", "require_serial")] == [
        checking[key] for key in ("language", "types_or", "require_serial")
    ]


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


SCRIPT = """\
#!/usr/bin/env python
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.empty(3))
"""
# What pre-commit takes for Python, and so names, by suffix or first line.
NAMES = ["bin/train", "app.wsgi", "gui.pyw", "service.tac", "build.gyp", "include.gypi", "notes.md"]


@pytest.mark.parametrize("name", NAMES)
def test_whatever_the_hook_names_is_checked_or_left_out(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / name).write_text(f"```python\n{SCRIPT}```\n" if name.endswith(".md") else SCRIPT, encoding="utf-8")
    outcome = CliRunner().invoke(main, [*command(), name])
    assert (outcome.exit_code, "INI101" in outcome.stdout) == (1, True)
    assert outcome.stderr.startswith("1 file checked, 0 skipped")
    outcome = CliRunner().invoke(main, [*command(), "--exclude", name, name])
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert outcome.stderr.startswith("0 files checked, 1 skipped")


def test_excluded_files_are_left_out_although_the_hook_is_given_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "import torch\nfrom torch import nn\nw = nn.Parameter(torch.Tensor(3))\nnn.init.zeros_(w)\n"
    (tmp_path / "net.py").write_text(text, encoding="utf-8")
    (tmp_path / "initaudit.toml").write_text("exclude = ['net.py']\n", encoding="utf-8")
    assert CliRunner().invoke(main, [*command(), "--fix", "net.py"]).exit_code == 0
    assert (tmp_path / "net.py").read_text(encoding="utf-8") == text
