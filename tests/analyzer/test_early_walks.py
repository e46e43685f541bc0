"""INI209 is a note where layers that are made behind the initializer have an initialization of their own beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit
from initaudit.finding import Severity

NET = """
from torch import nn

class Gate(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.fc = nn.Linear(n, n)
        nn.init.zeros_(self.fc.weight)

class Block(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.fc = nn.Linear(n, n)

def block(kind, n):
    if kind == "gate":
        return Gate(n)
    return Block(n)

class Net(nn.Module):
    def __init__(self, n, kind):
        super().__init__()
        self.body = nn.Linear(n, n)
        self.apply(self._init)
        self.late = nn.Linear(n, n)
        {}

    def _init(self, m):
        if isinstance(m, nn.Linear):
            nn.init.xavier_uniform_(m.weight)
"""
CHOSEN = {
    "by hand": "self.table = nn.Embedding(n, n)\n        nn.init.normal_(self.table.weight, std=0.02)",
    "in a container": "self.head = nn.Sequential(nn.Linear(n, n))\n        self.head[0].weight.data.zero_()",
    "its bias": "self.head = nn.Linear(n, n)\n        nn.init.constant_(self.head.bias, -4.6)",
}
FORGOTTEN = {
    "one more layer": "self.head = nn.Linear(n, n)",
    "a layer above": "nn.init.zeros_(self.body.bias)",
    "a layer that is asked": "self.head = nn.Linear(n, n)\n        self.size = self.head.weight.shape",
}


@pytest.mark.parametrize("lines", CHOSEN.values(), ids=CHOSEN)
def test_others_are_initialized_by_hand(lines: str, tmp_path: Path) -> None:
    assert _weight(NET.format(lines), tmp_path) == Severity.NOTE


@pytest.mark.parametrize("lines", FORGOTTEN.values(), ids=FORGOTTEN)
def test_nothing_is_initialized_behind_it(lines: str, tmp_path: Path) -> None:
    assert _weight(NET.format(lines), tmp_path) == Severity.WARNING


@pytest.mark.parametrize(("made", "severity"), [("block(kind, n)", Severity.NOTE), ("Block(n)", Severity.WARNING)])
def test_one_of_several_blocks_initializes_itself(made: str, severity: Severity, tmp_path: Path) -> None:
    text = NET.replace("self.late = nn.Linear(n, n)", "self._add(n, kind)").format("")
    text += f"\n    def _add(self, n, kind):\n        self.late = nn.ModuleList([{made} for _ in range(3)])\n"
    assert _weight(text, tmp_path) == severity


def _weight(text: str, folder: Path) -> Severity:
    (folder / "net.py").write_text(text, encoding="utf-8")
    (finding,) = initaudit.check([str(folder)], select=["INI209"]).findings
    return finding.severity
