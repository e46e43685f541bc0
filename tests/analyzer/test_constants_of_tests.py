"""INI508 is a note for constants that only tests write, also by a method of the class."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit
from initaudit.finding import Severity

NET = """
import torch, unittest
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])

    def fill(self):
        for p in self.parameters():
            if p.dim() > 1:
                p.data.fill_(1)

    def forward(self, x):
        return self.layers[1](torch.tanh(self.layers[0](x)))
"""
OWN_TEST = "class Check(unittest.TestCase):\n    def test_sum(self):\n        net = Net()\n        net.fill()\n"
OTHER_TEST = "from net import Net\ndef test_sum():\n    net = Net()\n    net.fill()\n"
TRAINED = "from net import Net\nimport torch\nnet = Net()\nnet.fill()\ntorch.optim.SGD(net.parameters(), lr=0.1)\n"
CASES = {
    "a test in the file": ({"net.py": NET + OWN_TEST}, Severity.NOTE),
    "a test in another": ({"net.py": NET, "tests/test_net.py": OTHER_TEST}, Severity.NOTE),
    "a program": ({"net.py": NET, "train.py": TRAINED}, Severity.WARNING),
    "a test and a program": ({"net.py": NET + OWN_TEST, "train.py": TRAINED}, Severity.WARNING),
    "nobody": ({"net.py": NET}, Severity.WARNING),
}


@pytest.mark.parametrize(("files", "severity"), CASES.values(), ids=CASES)
def test_who_writes_constants(
    files: dict[str, str], severity: Severity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in files.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
    (finding,) = initaudit.check(["."], select=["INI508"]).findings
    assert finding.severity == severity
