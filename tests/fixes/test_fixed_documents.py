"""A fix that adds rows adds them where the statement stands, also at the end of a cell and in an indented block."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from initaudit.cli import main

CLASS = [
    "class Net(nn.Module):\n",
    "    def __init__(self):\n",
    "        super().__init__()\n",
    "        self.bias = nn.Parameter(torch.empty(3))",
]
ADDED = "        nn.init.zeros_(self.bias)"


def fixed(file: Path) -> str:
    flags = ["--isolated", "--no-cache", "--select", "INI101", "--fix", "--unsafe-fixes"]
    outcome = CliRunner().invoke(main, ["check", *flags, str(file)])
    assert outcome.exit_code == 0, outcome.output
    return file.read_text(encoding="utf-8")


def test_at_the_end_of_a_cell(tmp_path: Path) -> None:
    cells = [["import torch\n", "from torch import nn"], CLASS, ["net = Net()"]]
    code = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    notebook = {
        "cells": [{**code, "source": cell} for cell in cells],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    file = tmp_path / "net.ipynb"
    file.write_text(json.dumps(notebook, indent=1), encoding="utf-8")
    sources = ["".join(cell["source"]) for cell in json.loads(fixed(file))["cells"]]
    assert sources == ["import torch\nfrom torch import nn", "".join(CLASS) + f"\n{ADDED}", "net = Net()"]


def test_in_a_block_of_a_list(tmp_path: Path) -> None:
    rows = ["import torch\n", "from torch import nn\n", "\n", *CLASS]
    block = "".join(f"  {row}" if row.strip() else row for row in rows)
    file = tmp_path / "net.md"
    file.write_text(f"- a model\n\n  ```python\n{block}\n  ```\n\nThat is it.\n", encoding="utf-8")
    assert f"torch.empty(3))\n  {ADDED}\n  ```\n" in fixed(file)
