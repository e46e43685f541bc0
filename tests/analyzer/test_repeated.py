"""INI504 asks how often those who build a class repeat its layer: once or not at all is a note."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit
from initaudit.finding import Severity

CLASS = """
from torch import nn

class Encoder(nn.Module):
    def __init__(self, size, n):
        super().__init__()
        self.layers = nn.Sequential(*([nn.Linear(size, size), nn.ReLU()] * n))

    def forward(self, x):
        return self.layers(x)
"""
PROGRAMS = {
    "one or none": ("Encoder(4, 1)\nEncoder(8, n=0)\n", Severity.NOTE),
    "three": ("Encoder(4, 1)\nEncoder(8, n=3)\n", Severity.ERROR),
    "a number of the user": ("import sys\nEncoder(4, int(sys.argv[1]))\n", Severity.ERROR),
    "by a text as well": ("nets = {'encoder': Encoder}\nEncoder(4, 1)\n", Severity.ERROR),
    "nobody": ("", Severity.ERROR),
}


@pytest.mark.parametrize(("program", "severity"), PROGRAMS.values(), ids=PROGRAMS)
def test_how_often_a_layer_is_repeated(
    program: str, severity: Severity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("encoder.py").write_text(CLASS, encoding="utf-8")
    Path("train.py").write_text(f"from encoder import Encoder\n{program}", encoding="utf-8")
    (finding,) = initaudit.check(["."], select=["INI504"]).findings
    assert finding.severity == severity
    assert ("ask for one at most" in finding.message) == (severity == Severity.NOTE)


def test_a_helper_that_also_writes_in_place_is_not_said_to_change_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(
        "import torch\nfrom torch import nn\ndef truncated(t, std):\n    nn.init.normal_(t, std=std)\n"
        "    t = torch.where(t.abs() > 2 * std, torch.zeros_like(t), t)\n    return t\n"
        "net = nn.Linear(4, 4)\ntruncated(net.weight, 0.02)\n",
        encoding="utf-8",
    )
    (finding,) = initaudit.check(["."], select=["INI214"]).findings
    assert "`net.weight` keeps what was written in place before" in finding.message
