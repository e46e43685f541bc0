"""INI311 is a note in a function of a script that nothing uses, since what would raise never runs."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit
from initaudit.finding import Severity

SCRIPT = (
    "import torch\nfrom torch import nn\n\ndef init(m):\n    if isinstance(m, nn.Linear):\n"
    "        nn.init.kaiming_normal_(m)\n\nnet = nn.Linear(3, 4)\nfor _ in range(3):\n    net(torch.ones(3))\n"
)
USES = {
    "nothing": ("", "", Severity.NOTE),
    "another file of its own": ("", "def init(m):\n    pass\ninit(3)\n", Severity.NOTE),
    "apply": ("net.apply(init)\n", "", Severity.ERROR),
    "a call": ("init(net)\n", "", Severity.ERROR),
    "a table": ("ways = {'he': init}\n", "", Severity.ERROR),
    "another function": ("def start(net):\n    net.apply(init)\n", "", Severity.ERROR),
    "another file": ("", "from train import init\n", Severity.ERROR),
}


@pytest.mark.parametrize(("own", "other", "severity"), USES.values(), ids=USES)
def test_how_much_an_impossible_call_weighs(
    own: str, other: str, severity: Severity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(SCRIPT + own, encoding="utf-8")
    Path("other.py").write_text(other, encoding="utf-8")
    (finding,) = initaudit.check(["."], select=["INI311"]).findings
    assert finding.severity == severity


def test_in_a_library_others_may_call_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("layers.py").write_text(SCRIPT.partition("net =")[0], encoding="utf-8")
    (finding,) = initaudit.check(["."], select=["INI311"]).findings
    assert finding.severity == Severity.ERROR
