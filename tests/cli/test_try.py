"""`initaudit probe --try`: what the advice is worth, shown on the model and done to no file."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from initaudit import attempt, engine, session
from initaudit.cli import main
from initaudit.finding import Advice
from initaudit.settings import Model

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
    assert 'nn.init.kaiming_normal_(self.layers[0].weight, nonlinearity="relu")' in shown
    assert "INI401 xavier-before-relu `layers.0.weight`, warning: no longer reported" in shown
    assert "the advice helps" in shown
    before, after = next(line for line in shown.splitlines() if "activation rms, first to last" in line).split(" -> ")
    assert float(before.rpartition("(")[2].split()[0]) < -1.2 < -0.5 < float(after.rpartition("(")[2].split()[0])


def test_an_adapter_that_never_learned_does(tmp_path: Path) -> None:
    shown = tried(tmp_path, "Adapted")
    assert "nn.init.normal_(self.down, std=0.02)" in shown and "nn.init.normal_(self.up" not in shown
    assert "INI502 all-factors-zero `down`, error: no longer reported" in shown


def test_where_nothing_is_advised_there_is_nothing_to_try(tmp_path: Path) -> None:
    assert "nothing to try." in tried(tmp_path, "Clean")


@pytest.mark.parametrize(
    ("advice", "call"),
    [
        (Advice(model="Net", parameter="fc.weight", initializer="zeros_"), "nn.init.zeros_(self.fc.weight)"),
        (
            Advice(model="Net", parameter="w", initializer="xavier_normal_", gain_for="tanh"),
            'nn.init.xavier_normal_(self.w, gain=nn.init.calculate_gain("tanh"))',
        ),
        (
            Advice(model="torch.nn.Sequential", parameter="0.1.weight", initializer="ones_"),
            "nn.init.ones_(model[0][1].weight)",
        ),
    ],
)
def test_advice_reads_as_the_call_that_it_is(advice: Advice, call: str) -> None:
    assert str(advice) == call


HARMED = """\
import torch
from torch import nn


class Quiet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.out = nn.Linear(8, 8), nn.Linear(8, 2)
        self.gain = nn.Parameter(torch.empty(8))

    def forward(self, x):
        return self.out(self.fc(x) * self.gain)
"""


def attempted(folder: Path, *advice: Advice) -> str:
    """What is said of advice that a finding of the model is made to give."""
    (folder / "model.py").write_text(HARMED, encoding="utf-8")
    target = f"{folder / 'model.py'}:Quiet"
    prepared = session.prepare(session.Asked(targets=(Model(target=target),), probe=True, isolated=True))
    report = engine.run(prepared.task, prepared.watches)
    given = tuple(msgspec.structs.replace(one, model=report.findings[0].model) for one in advice)
    findings = tuple(msgspec.structs.replace(one, advice=given) for one in report.findings)
    changed = msgspec.structs.replace(report, findings=findings)
    return attempt.as_text(attempt.attempt(prepared.task, changed, prepared.models))


def test_a_gradient_that_dies_is_no_cure(tmp_path: Path) -> None:
    shown = attempted(tmp_path, Advice(model="", parameter="gain", initializer="zeros_"))
    assert (
        "INI101 uninitialized-parameter `gain`, error: no longer reported, but the model got worse: see below" in shown
    )
    assert "no gradient reaches `fc.weight`, `out.weight` any more: training cannot change them" in shown
    assert "the advice does not help: the model got worse" in shown


def test_a_finding_that_stays_and_a_new_one_are_told(tmp_path: Path) -> None:
    shown = attempted(tmp_path, Advice(model="", parameter="fc.weight", initializer="constant_", val=3e38))
    assert "INI101 uninitialized-parameter `gain`, error: still reported: error" in shown
    assert "INI602 extreme-value `fc.weight`, error: new with the advice: " in shown
    assert "the advice does not help: 1 of 1 findings remain, " in shown


def test_an_output_that_leaves_its_bounds_is_told(tmp_path: Path) -> None:
    advice = [Advice(model="", parameter=name, initializer="constant_", val=900.0) for name in ("gain", "fc.weight")]
    assert "`out.weight` grows to an rms of " in attempted(tmp_path, *advice)
