"""A file that stops where a value or a body is missing is a draft, if it only defines things that nothing imports."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit
from initaudit.finding import Severity

HEADER = "import torch\nfrom torch import nn\n\nSIZE = 3\n\nclass Net(nn.Module):\n    def __init__(self):\n"
TRAIN = "import torch\nfrom torch import nn\n\nnet = nn.Linear(3, 4)\nfor _ in range(3):\n    net(torch.ones(3))\n"
DRAFTS = {
    "a value": "        self.weight =\n        self.size = SIZE\n",
    "a body": "        super().__init__()\n\n    def forward(self, x):\n",
    "an operand": "        self.size = SIZE +\n        self.weight = nn.Parameter(torch.ones(3))\n",
    "the end of a call": "        self.weight = nn.Parameter(torch.ones(3),\n",
}
SLIPS = {
    "an indentation": "        super().__init__()\n          self.weight = nn.Parameter(torch.ones(3))\n",
    "a comma": "        self.weight = nn.Parameter(torch.ones(3) 4)\n",
    "a bracket too many": "        self.weight = nn.Parameter(torch.ones(3)))\n",
}
USED = {
    "an import": ("train", "from draft import Net\n" + TRAIN),
    "an import by a text": (
        "load.py",
        "import importlib\n\ndef load(name):\n    return importlib.import_module(name)\n",
    ),
    "an installed package": ("setup", "from setuptools import setup\n\nsetup(name='nets')\n"),
    "no other program": ("train", ""),
}
ACTS = ["print(SIZE)\n", "if __name__ == '__main__':\n    Net()\n", "<<<<<<< HEAD\n", "for i in range(3):\n    Net()\n"]


@pytest.mark.parametrize("missing", DRAFTS.values(), ids=DRAFTS)
def test_a_draft_is_a_note(missing: str, tmp_path: Path) -> None:
    assert _weight(tmp_path, HEADER + missing) == Severity.NOTE


@pytest.mark.parametrize("slip", SLIPS.values(), ids=SLIPS)
def test_a_slip_is_an_error(slip: str, tmp_path: Path) -> None:
    assert _weight(tmp_path, HEADER + slip) == Severity.ERROR


@pytest.mark.parametrize(("name", "text"), USED.values(), ids=USED)
def test_what_another_file_may_use_is_no_draft(name: str, text: str, tmp_path: Path) -> None:
    assert _weight(tmp_path, HEADER + DRAFTS["a value"], **{name: text}) == Severity.ERROR


@pytest.mark.parametrize("line", ACTS)
def test_what_runs_is_no_draft(line: str, tmp_path: Path) -> None:
    assert _weight(tmp_path, HEADER + DRAFTS["a value"] + line) == Severity.ERROR


def _weight(folder: Path, draft: str, **files: str) -> Severity:
    for name, text in ({"train": TRAIN} | files | {"draft": draft}).items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    (finding,) = initaudit.check([str(folder)], select=["INI001"]).findings
    return finding.severity
