"""A normalization in the file silences INI407 only for models that it may be a part of."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit

DRAWS = """
import torch
from torch import nn

class Draws(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 10)
        {after}
        nn.init.normal_(self.fc.weight)

    def forward(self, x):
        return self.fc(x)

{other}
net = Draws()
torch.optim.SGD(net.parameters(), lr=0.1)
"""
APART = """
class Other(nn.Module):
    def __init__(self):
        super().__init__()
        {part}
        self.norm = nn.BatchNorm1d(10)

    def forward(self, x):
        return self.norm(x)
"""


@pytest.mark.parametrize(
    ("after", "other", "reported"),
    [
        ("pass", APART.format(part="pass"), True),
        ("pass", APART.format(part="self.part = Draws()"), False),
        ("self.norm = nn.LayerNorm(10)", "", False),
        ("self.after = nn.functional.normalize", APART.format(part="pass"), False),
        ("pass", "def build():\n    return nn.Sequential(Draws(), nn.BatchNorm1d(10))\n", False),
        ("self.after = nn.TransformerEncoderLayer(10, 2)", APART.format(part="pass"), False),
    ],
)
def test_only_a_normalization_that_may_follow_counts(
    after: str, other: str, reported: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(DRAWS.format(after=after, other=other), encoding="utf-8")
    assert bool(initaudit.check(["net.py"], select=["INI407"], preview=True).findings) is reported
