"""`initaudit probe --try`: what the advice is worth, shown on the model and done to no file."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from initaudit.cli import main
from initaudit.finding import Advice

pytest.importorskip("torch", reason="the probe runs with torch")

MODEL = """\
import torch
from torch import nn


class Deep(nn.Module):
    def __init__(self, depth=12):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(32, 32) for _ in range(depth))
        for layer in self.layers:
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return x


class Adapted(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.down = nn.Parameter(torch.zeros(2, 8))
        self.up = nn.Parameter(torch.zeros(8, 2))

    def forward(self, x):
        x = self.fc(x)
        return x + x @ self.down.T @ self.up.T


class Clean(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))
"""


def tried(folder: Path, name: str, *flags: str) -> str:
    (folder / "model.py").write_text(MODEL, encoding="utf-8")
    outcome = CliRunner().invoke(main, ["probe", f"{folder / 'model.py'}:{name}", "--try", "--isolated", *flags])
    assert outcome.exit_code in (0, 1), outcome.output
    assert (folder / "model.py").read_text(encoding="utf-8") == MODEL
    return outcome.output


def test_a_signal_that_fades_is_level_with_the_advice(tmp_path: Path) -> None:
    shown = tried(tmp_path, "Deep")
    assert 'nn.init.kaiming_normal_(layers.0.weight, nonlinearity="relu")' in shown
    assert "INI401 xavier-before-relu, warning: is no longer found" in shown
    before, after = next(line for line in shown.splitlines() if "rms from the first" in line).split(" -> ")
    assert float(before.rpartition("(")[2].split()[0]) < -1.2 < -0.5 < float(after.rpartition("(")[2].split()[0])


def test_an_adapter_that_never_learned_does(tmp_path: Path) -> None:
    shown = tried(tmp_path, "Adapted")
    assert "nn.init.normal_(down, std=0.02)" in shown and "nn.init.normal_(up" not in shown
    assert "INI502 all-factors-zero, error: is no longer found" in shown


def test_where_nothing_is_advised_there_is_nothing_to_try(tmp_path: Path) -> None:
    assert "nothing to try." in tried(tmp_path, "Clean")


@pytest.mark.parametrize(
    ("advice", "call"),
    [
        (Advice(model="Net", parameter="fc.weight", initializer="zeros_"), "nn.init.zeros_(fc.weight)"),
        (
            Advice(model="Net", parameter="w", initializer="xavier_normal_", gain_for="tanh"),
            'nn.init.xavier_normal_(w, gain=nn.init.calculate_gain("tanh"))',
        ),
    ],
)
def test_advice_reads_as_the_call_that_it_is(advice: Advice, call: str) -> None:
    assert str(advice) == call
