"""INI208: what a part writes on purpose in a file of its own, and the model around it draws anew."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit

PART = """
import torch
from torch import nn


class Gate(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.body = nn.Linear(n, n)
        self.last = nn.Linear(n, n)
        {on_purpose}

    def forward(self, x):
        return x + self.last(torch.relu(self.body(x)))
"""
MODEL = """
from torch import nn

from part import Gate


class Model(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.gates = {gates}
        {draw}
        {later}

    def _init(self, m):
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, std=0.02)

    def forward(self, x):
        return self.gates(x)
"""
WALK = """for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)"""


def told(
    on_purpose: str = "nn.init.zeros_(self.last.weight)",
    gates: str = "Gate(n)",
    draw: str = "self.apply(self._init)",
    later: str = "pass",
) -> list[str]:
    Path("part.py").write_text(PART.format(on_purpose=on_purpose), encoding="utf-8")
    Path("model.py").write_text(MODEL.format(gates=gates, draw=draw, later=later), encoding="utf-8")
    found = initaudit.check(["."], select=["INI208"]).findings
    return [f"{Path(each.place.filename).name}:{each.place.row} {each.message}" for each in found]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"gates": "nn.Sequential(*[Gate(n) for _ in range(3)])"},
        {"draw": WALK, "on_purpose": "self.last.weight.data.zero_()"},
        {"on_purpose": "nn.init.eye_(self.last.weight)\n        nn.init.zeros_(self.last.bias)"},
    ],
)
def test_it_is_told_where_it_is_drawn_anew(case: dict[str, str]) -> None:
    (found,) = told(**case)
    assert found.startswith("model.py:11 ")
    assert found.endswith("on purpose (line 11 of part.py)")


@pytest.mark.parametrize(
    "case",
    [
        {"on_purpose": "pass"},
        {"on_purpose": "nn.init.xavier_uniform_(self.last.weight)"},
        {"on_purpose": "nn.init.zeros_(self.last.bias)"},
        {"later": "nn.init.zeros_(self.gates.last.weight)"},
        {"draw": "pass"},
        {"draw": "self.apply(self._init)", "gates": "nn.Identity()"},
    ],
)
def test_what_stays_or_is_written_once_more_is_right(case: dict[str, str]) -> None:
    assert told(**case) == []
