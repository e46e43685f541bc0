"""INI407 of weights that are all positive is a note, if they are square and their author chose the bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit
from initaudit.finding import Severity

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, n, m):
        super().__init__()
        self.weight = nn.Parameter({made})
        {drawn}

    def forward(self, x):
        return torch.matmul(x, self.weight)
"""
MIXES = {
    "uniform_": ("torch.empty(n, n)", "self.weight.data.uniform_(0, 0.1)"),
    "by numbers": ("torch.empty(64, 64)", "nn.init.uniform_(self.weight, 0.0, 0.02)"),
    "by names": ("torch.empty((n, n))", "nn.init.uniform_(self.weight, a=0.01, b=0.03)"),
}
SUMS = {
    "more inputs": ("torch.empty(n, m)", "self.weight.data.uniform_(0, 0.1)"),
    "the default": ("torch.empty(n, n)", "nn.init.uniform_(self.weight)"),
    "rand": ("torch.rand(64, 64)", "pass"),
}


@pytest.mark.parametrize(("made", "drawn"), MIXES.values(), ids=MIXES)
def test_a_weighted_sum_may_be_meant(made: str, drawn: str, tmp_path: Path) -> None:
    assert _weight(made, drawn, tmp_path) == Severity.NOTE


@pytest.mark.parametrize(("made", "drawn"), SUMS.values(), ids=SUMS)
def test_outputs_that_are_nearly_the_same_weigh(made: str, drawn: str, tmp_path: Path) -> None:
    assert _weight(made, drawn, tmp_path) == Severity.WARNING


def _weight(made: str, drawn: str, folder: Path) -> Severity:
    (folder / "net.py").write_text(NET.format(made=made, drawn=drawn), encoding="utf-8")
    (finding,) = initaudit.check([str(folder)], select=["INI407"]).findings
    return finding.severity
