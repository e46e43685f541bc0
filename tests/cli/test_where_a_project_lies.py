"""What the folders above a project are called decides nothing; what its own are called does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from initaudit.cli import main

NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4, 4))

    def forward(self, x):
        return x @ self.weight
"""
TRAIN = """\
import torch
from net import Net

model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model(torch.ones(1, 4)).sum().backward()
optimizer.step()
"""


@pytest.mark.parametrize(
    ("sign", "code", "severity"),
    [
        (None, "case", "error"),
        ("README.md", "case", "error"),
        ("tests/README.md", "tests", "error"),
        ("tests/pyproject.toml", "tests/src", "error"),
        ("pyproject.toml", "tests", "note"),
        ("setup.py", "tests/helpers", "note"),
        (".git", "tests/unit/nets", "note"),
    ],
)
@pytest.mark.parametrize("above", ["tests", "test/of", "work"])
def test_raw_memory_is_an_error_unless_the_project_only_tests_it(
    above: str, sign: str | None, code: str, severity: str, tmp_path: Path
) -> None:
    project = tmp_path / above / "project"
    (project / code).mkdir(parents=True)
    if sign is not None:
        (project / sign).write_text("", encoding="utf-8")
    for name, text in (("net.py", NET), ("train.py", TRAIN)):
        (project / code / name).write_text(text, encoding="utf-8")
    arguments = ["check", "--isolated", "--no-cache", "-j1", "--output-format", "json", str(project)]
    (found,) = json.loads(CliRunner().invoke(main, arguments).stdout)
    assert (found["code"], found["severity"]) == ("INI101", severity)


def test_a_kept_answer_is_not_used_once_the_project_begins_elsewhere(tmp_path: Path) -> None:
    tests = tmp_path / "project" / "tests"
    tests.mkdir(parents=True)
    for name, text in (("net.py", NET), ("train.py", TRAIN)):
        (tests / name).write_text(text, encoding="utf-8")
    arguments = [
        "check",
        "--isolated",
        "--cache-dir",
        str(tmp_path / "kept"),
        "-j1",
        "--output-format",
        "json",
        str(tests),
    ]
    severities = []
    for sign, begins in (("README.md", True), ("README.md", False), ("pyproject.toml", True)):
        (tests / sign).write_text("", encoding="utf-8") if begins else (tests / sign).unlink()
        (found,) = json.loads(CliRunner().invoke(main, arguments).stdout)
        severities.append(found["severity"])
    assert severities == ["error", "note", "error"]
