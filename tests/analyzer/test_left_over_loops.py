"""A loop that does nothing but ask which parameters are trained is what is left of a print, and initializes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit

LOOP = "from torch import nn\n\nnet = nn.Linear(3, 4)\nfor name, p in net.named_parameters():\n"
TRAINED = {
    "a comparison": "    if p.requires_grad == True:\n        pass\n",
    "both branches": "    if not p.requires_grad:\n        pass\n    else:\n        pass\n",
    "with a name": '    pass\n    if p.requires_grad and "bias" in name:\n        pass\n',
}
NOTHING = {
    "a name alone": '    if "weight" in name:\n        pass\n',
    "a subscript": "    if p.requires_grad:\n        p[0]\n",
    "no test": "    pass\n",
}


@pytest.mark.parametrize("body", TRAINED.values(), ids=TRAINED)
def test_what_asks_for_training_is_no_initialization(body: str, tmp_path: Path) -> None:
    assert not _found(body, tmp_path)


@pytest.mark.parametrize("body", NOTHING.values(), ids=NOTHING)
def test_what_does_nothing_is_reported(body: str, tmp_path: Path) -> None:
    assert _found(body, tmp_path) == ["INI201"]


def _found(body: str, folder: Path) -> list[str]:
    (folder / "net.py").write_text(LOOP + body, encoding="utf-8")
    return [each.code for each in initaudit.check([str(folder)], select=["INI201"]).findings]
