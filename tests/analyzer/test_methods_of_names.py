"""``__setattr__`` and ``__getattr__`` of a module do what ``setattr`` and ``getattr`` do."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        {0}

    def forward(self, x):
        return x @ self.weight
"""
MADE = 'self.__setattr__("weight", nn.Parameter(torch.empty(n, n)))'
PLAIN = "self.weight = nn.Parameter(torch.empty(n, n))"


def codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET.format("\n        ".join(lines)), encoding="utf-8")
    return [each.code for each in initaudit.check(["net.py"], select=["INI101"]).findings]


@pytest.mark.parametrize("made", [MADE, PLAIN, MADE.replace("self", "super()")])
def test_memory_that_nothing_writes_is_reported_however_it_is_registered(
    made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert codes(tmp_path, monkeypatch, made) == ["INI101"]


@pytest.mark.parametrize(
    "written",
    [
        'nn.init.xavier_uniform_(self.__getattr__("weight"))',
        'for name in ("weight",): nn.init.xavier_uniform_(self.__getattr__(name))',
        "for name in self._parameters: nn.init.xavier_uniform_(self.__getattr__(name))",
        "for name in names(): nn.init.xavier_uniform_(self.__getattr__(name))",
        'self.__setattr__("weight", nn.Parameter(torch.zeros(n, n)))',
    ],
)
@pytest.mark.parametrize("made", [MADE, PLAIN])
def test_a_write_of_what_a_method_gives_counts(
    made: str, written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert codes(tmp_path, monkeypatch, made, written) == []
