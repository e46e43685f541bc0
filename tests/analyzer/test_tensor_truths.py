"""INI310 is a note where all layers that get to the condition are made without a bias, so that it raises for none."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit
from initaudit.finding import Severity

HEADER = (
    "from torch import nn\n\n\ndef start(m):\n    if {}:\n        if m.bias:\n            nn.init.zeros_(m.bias)\n\n\n"
)
BY_CLASS, BY_NAME = "isinstance(m, nn.Linear)", "m.__class__.__name__.find('Linear') != -1"
NET = "class Net(nn.Module):\n    def __init__(self, n, other):\n        super().__init__()\n        {}\n"
NONE = {
    "a head": (BY_CLASS, "self.head = nn.Linear(n, n, bias=False)\n        self.head.apply(start)"),
    "by its name": (BY_NAME, "self.head = nn.Linear(n, n, False)\n        self.head.apply(start)"),
    "a part": (
        BY_CLASS,
        "self.base = nn.Linear(n, n)\n        self.body = nn.Sequential(nn.Linear(n, n, bias=False), nn.ReLU())\n"
        "        self.body.apply(start)",
    ),
    "one of two branches": (
        BY_CLASS,
        "if other:\n            self.head = nn.Linear(n, n)\n        else:\n"
        "            self.head = nn.Linear(n, n, bias=False)\n            self.head.apply(start)",
    ),
}
SOME = {
    "another layer": (
        BY_CLASS,
        "self.head, self.tail = nn.Linear(n, n, bias=False), nn.Linear(n, n, bias=other)\n"
        "        self.head.apply(start)\n        self.tail.apply(start)",
    ),
    "the whole model": (
        BY_CLASS,
        "self.base = other\n        self.head = nn.Linear(n, n, bias=False)\n        self.apply(start)",
    ),
    "a call": (
        BY_CLASS,
        "self.head = nn.Linear(n, n, bias=False)\n        self.head.apply(start)\n        start(other)",
    ),
    "an attribute bound anew": (
        BY_CLASS,
        "self.head = nn.Linear(n, n, bias=False)\n        self.head = other\n        self.head.apply(start)",
    ),
}


@pytest.mark.parametrize(("test", "body"), NONE.values(), ids=NONE)
def test_no_layer_has_a_bias(test: str, body: str, tmp_path: Path) -> None:
    assert _weight(test, body, tmp_path) == Severity.NOTE


@pytest.mark.parametrize(("test", "body"), SOME.values(), ids=SOME)
def test_a_layer_may_have_a_bias(test: str, body: str, tmp_path: Path) -> None:
    assert _weight(test, body, tmp_path) == Severity.ERROR


def test_another_file_may_lead_others_there(tmp_path: Path) -> None:
    (tmp_path / "more.py").write_text("from net import start\n\nmodel.apply(start)\n", encoding="utf-8")
    assert _weight(*NONE["a head"], tmp_path) == Severity.ERROR


def _weight(test: str, body: str, folder: Path) -> Severity:
    text = HEADER.format(test) + NET.format(body) + "\n\nif __name__ == '__main__':\n    Net(3, None)\n"
    (folder / "net.py").write_text(text, encoding="utf-8")
    (finding,) = initaudit.check([str(folder)], select=["INI310"]).findings
    return finding.severity
