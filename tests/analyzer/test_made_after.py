"""A loop over all parameters of an object reaches only the normalizations that are there when it runs."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest

import initaudit

METHOD = """
    def reset_parameters(self):
        for weight in self.parameters():
            nn.init.uniform_(weight, -0.1, 0.1)
"""
NORM = "self.norm = nn.BatchNorm1d(8)\n"
CALL = "self.reset_parameters()\n"
LOOP = "for weight in self.parameters():\n    nn.init.uniform_(weight, -0.1, 0.1)\n"


def cell(*body: str, base: str = "nn.Module", name: str = "Cell", more: str = METHOD) -> str:
    """A class whose constructor runs some statements."""
    statements = indent("".join(("super().__init__()\n", *body)), " " * 8)
    return f"\nclass {name}({base}):\n    def __init__(self, n=4):\n{statements}{more}"


FIRST = "self.w = nn.Parameter(torch.zeros(8, 8))\n"
PLAIN = cell(CALL, name="Base")
AGAIN = "\n    def forget(self):\n        self.reset_parameters()\n"
BY_WAY = "\n    def begin(self):\n        self.reset_parameters()\n"
IN_PROGRAM = "\nfrom torch import nn\nmodel = Cell()\nmodel.reset_parameters()\n"
OTHER = """
class Other(nn.Module):
    def reset_parameters(self):
        pass

other = Other()
other.reset_parameters()
"""
BLOCK = cell(NORM, name="Block", more="")


@pytest.mark.parametrize(
    ("source", "reported"),
    [
        pytest.param(cell(FIRST, CALL, "if n:\n    ", NORM), False, id="made behind the only call"),
        pytest.param(cell(FIRST, "if n:\n    ", CALL, NORM), False, id="call under a condition"),
        pytest.param(cell(FIRST, LOOP, NORM, more=""), False, id="loop in the constructor"),
        pytest.param(cell("self.begin()\n", NORM, more=METHOD + BY_WAY), False, id="call by way of a method"),
        pytest.param(PLAIN + cell(NORM, base="Base", more=""), False, id="made by a subclass"),
        pytest.param(
            cell(CALL, name="Base", more="") + cell(NORM, base="Base"), False, id="called by a base, made by a subclass"
        ),
        pytest.param(BLOCK + cell(CALL, "self.block = Block()\n"), False, id="part of a block"),
        pytest.param(
            cell("self.parts = nn.ModuleList()\n", CALL, "self.parts.append(nn.BatchNorm1d(8))\n"), False, id="added"
        ),
        pytest.param(cell(CALL, NORM) + OTHER, False, id="a method of the same name of another class"),
        pytest.param(cell(FIRST, NORM, CALL), True, id="made before"),
        pytest.param(cell(NORM, LOOP, more=""), True, id="made before a loop in the constructor"),
        pytest.param(cell(CALL, NORM, CALL), True, id="called on both sides"),
        pytest.param(cell(CALL, NORM, more=METHOD + AGAIN), True, id="called by another method"),
        pytest.param(cell(CALL, NORM) + IN_PROGRAM, True, id="called by a program"),
        pytest.param(cell(NORM, name="Base", more="") + cell(CALL, base="Base"), True, id="made by the base"),
        pytest.param(cell(NORM, name="Base", more=METHOD) + cell(CALL, base="Base", more=""), True, id="all in a base"),
        pytest.param(
            cell("self.norms = nn.ModuleList()\n", "for _ in range(n):\n    self.reset_parameters()\n", "    "
                 "self.norms.append(nn.BatchNorm1d(8))\n"), True, id="made in the loop that calls"
        ),
        pytest.param(cell(CALL, NORM) + cell(CALL, base="Cell", name="Wide", more=""), True, id="called by a subclass"),
    ],
)  # fmt: skip
def test_only_what_is_there_is_drawn(
    source: str, reported: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(f"import torch\nfrom torch import nn\n{source}", encoding="utf-8")
    assert bool(initaudit.check(["net.py"], select=["INI506"], preview=True).findings) is reported


def test_a_call_in_another_file_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(f"import torch\nfrom torch import nn\n{cell(CALL, NORM)}", encoding="utf-8")
    Path("main.py").write_text(f"from net import Cell{IN_PROGRAM}", encoding="utf-8")
    assert initaudit.check(["."], select=["INI506"], preview=True).findings
