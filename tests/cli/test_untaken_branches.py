"""A branch of a constructor that no call in an application leads to: what is wrong there is a note."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from initaudit.cli.command_line import main

NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, n, start=None, fast=False, mode="plain"):
        super().__init__()
        {test}:
            self.weight = nn.Parameter(torch.zeros(n, n)).to("cuda")
        else:
            self.weight = nn.Parameter(torch.ones(n, n))

    def forward(self, x):
        return x @ self.weight


class Trainer:
    def __init__(self, n, start=None):
        self.net = Net(n, start)
"""
PROGRAM = "import torch\nfrom nets import Net, Trainer\n\nnet = {}\ntorch.optim.SGD(net.parameters(), 0.1)\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".git").mkdir()


def told(test: str, call: str, **files: str) -> str:
    """Return the severity of the finding in the branch of a test, where a program makes the call."""
    for name, text in {"nets": NET.replace("{test}", test), "run": PROGRAM.format(call), **files}.items():
        Path(f"{name}.py").write_text(text, encoding="utf-8")
    result = CliRunner().invoke(main, ["check", ".", "--isolated", "--no-cache", "--output-format", "json"])
    (severity,) = {each["severity"] for each in json.loads(result.stdout) if each["code"] == "INI221"}
    return str(severity)


@pytest.mark.parametrize(
    ("test", "call"),
    [
        ("if start is not None", "Net(3)"),
        ("if not (start is None)", "Trainer(3).net"),
        ("if fast", "nets.Net(3, fast=False)"),
        ('if mode == "fast"', "Net(3, mode='slow')"),
        ('if mode != "plain"', "Net(3)"),
        ("if True:\n            if fast", "Net(3)"),
    ],
)
def test_a_branch_that_no_call_leads_to(test: str, call: str) -> None:
    text = NET.replace("{test}", test)
    if test.startswith("if True"):
        text = text.replace("            self.weight", "                self.weight", 1)
        text = text.replace("        else:", "            else:").replace(
            "            self.weight = nn.Parameter(torch.ones", "                self.weight = nn.Parameter(torch.ones"
        )
    more = {"nets": text} | ({"run": "import nets\n" + PROGRAM.format(call)} if "nets." in call else {})
    assert told(test, call, **more) == "note"


@pytest.mark.parametrize(
    ("test", "call", "files"),
    [
        ("if start is not None", "Net(3, load())", {}),
        ("if start is not None", "Trainer(3, load()).net", {}),
        ("if start is not None", "Net(3, *rest)", {}),
        ("if start is None", "Net(3)", {}),
        ("if fast", "Net(3)", {"again": "from nets import Net\n\nmake = Net\n"}),
        ("if fast", "Net(3)", {"again": "from nets import Net\n\n\nclass Fast(Net):\n    pass\n"}),
        ("if fast", "Net(3)", {"again": "import nets\n\nprint(getattr(nets, input())(3, fast=True))\n"}),
        ("if fast", "Net(3)", {"setup": "from setuptools import setup\n\nsetup(name='nets')\n"}),
        ("fast = fast or n > 3\n        if fast", "Net(3)", {}),
        ("if fast and n > 2", "Net(3)", {}),
    ],
)
def test_a_branch_that_some_call_may_lead_to(test: str, call: str, files: dict[str, str]) -> None:
    assert told(test, call, **files) != "note"
