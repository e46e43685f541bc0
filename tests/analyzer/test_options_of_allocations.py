"""INI101 says for which option a parameter exists, if the constructor's default is another."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, n, {argument}):
        super().__init__()
        self.kind = kind
        self.fc = nn.Linear(n, n)
        if self.kind == "dot":
            pass
        elif {test}:
            self.v = nn.Parameter(torch.empty(n))

    def forward(self, x):
        return self.fc(x) * self.v
"""


def message(argument: str, test: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET.format(argument=argument, test=test), encoding="utf-8")
    (found,) = initaudit.check(["net.py"], select=["INI101"]).findings
    return found.message


@pytest.mark.parametrize(
    ("argument", "test", "said"),
    [
        ("kind", 'self.kind == "concat"', "(it exists only if `kind == 'concat'`)"),
        ('kind="dot"', 'self.kind == "concat"', "(it exists only if `kind == 'concat'`)"),
        ("kind=None, gated=False", "gated", "(it exists only if `gated`)"),
        ("kind=None, gated=False", 'gated and self.kind == "a"', "(it exists only if `gated` and `kind == 'a'`)"),
    ],
)
def test_an_option_that_is_no_default_is_named(
    argument: str, test: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert said in message(argument, test, monkeypatch, tmp_path)


@pytest.mark.parametrize(
    ("argument", "test"),
    [
        ('kind="concat"', 'self.kind == "concat"'),
        ("kind=None, gated=True", "gated"),
        ("kind=None", "n > 3"),
    ],
)
def test_a_default_or_what_is_no_option_is_not(
    argument: str, test: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "exists only" not in message(argument, test, monkeypatch, tmp_path)
