"""A text that is the key of a mapping says nothing of an attribute of the same name: INI226 reports the list."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit

NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.blocks = [nn.Linear(8, 8) for _ in range(3)]

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x
"""


def codes(other: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET, encoding="utf-8")
    Path("other.py").write_text(f"import torch\n{other}\n", encoding="utf-8")
    return [each.code for each in initaudit.check(["."], select=["INI226"]).findings]


@pytest.mark.parametrize(
    "other",
    [
        'def depth(config): return config["blocks"]',
        'config = {"blocks": 3, "width": 8}',
        'def depth(config): return config.model.get("blocks", 3)',
        'def depth(config): config["blocks"] = config.pop("blocks") + 1',
    ],
)
def test_a_key_of_a_mapping_is_no_attribute(other: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert codes(other, monkeypatch, tmp_path) == ["INI226"]


@pytest.mark.parametrize(
    "other",
    [
        'def parts(net): return getattr(net, "blocks")',
        'NAMES = ["blocks"]',
        'def parts(net): return vars(net)["blocks"]',
        'def parts(net): return net.__dict__.get("blocks")',
        'def both(config, net): return config["blocks"], getattr(net, "blocks")',
        'KINDS = {"name": "blocks"}',
    ],
)
def test_a_text_that_may_name_the_attribute_counts(other: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert codes(other, monkeypatch, tmp_path) == []
