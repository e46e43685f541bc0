"""INI314 sees an interval whose bounds are in the wrong order, which torch refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit

NET = """
import math
from torch import nn

class Net(nn.Module):
    def __init__(self, n, low=-0.1, high=0.2, cfg=None):
        super().__init__()
        self.fc = nn.Linear(n, n)
        bound, least = 1 / math.sqrt(n), -0.2
        k = 0.3
        m = -0.3
        {0}
"""
REFUSED = [
    "nn.init.uniform_(self.fc.weight, 0.1, -0.1)",
    "nn.init.uniform_(self.fc.weight, b=-0.1, a=0.1)",
    "self.fc.weight.data.uniform_(k, -k)",
    "self.fc.weight.data.uniform_(-m, m)",
    "self.fc.weight.data.uniform_(1 / math.sqrt(n), -1 / math.sqrt(n))",
    "self.fc.weight.data.uniform_(cfg.init, -cfg.init)",
    "nn.init.uniform_(self.fc.bias, cfg['bound'] * 2, -2 * cfg['bound'])",
]
TAKEN = [
    "nn.init.uniform_(self.fc.weight, -0.1, 0.1)",
    "nn.init.uniform_(self.fc.weight, 0.0, 0.0)",
    "self.fc.weight.data.uniform_(m, -m)",
    "self.fc.weight.data.uniform_(low, -low)",
    "self.fc.weight.data.uniform_(high, low)",
    "self.fc.weight.data.uniform_(low - high, high - low)",
    "self.fc.weight.data.uniform_(cfg.low, cfg.high)",
    "nn.init.normal_(self.fc.weight, 0.1, -0.1)",
]


def found(call: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET.format(call), encoding="utf-8")
    return [each.message for each in initaudit.check(["net.py"], select=["INI314"]).findings]


@pytest.mark.parametrize("call", REFUSED)
def test_a_lower_bound_above_the_upper_one_raises(call: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (message,) = found(call, monkeypatch, tmp_path)
    assert "takes the lower bound first" in message


@pytest.mark.parametrize("call", TAKEN)
def test_bounds_in_order_or_of_unknown_sign(call: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert found(call, monkeypatch, tmp_path) == []
