"""A script that prints weights and trains nothing shows what initializers do: constants in it are a note."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit
from initaudit.finding import Severity

SCRIPT = """
import torch
from torch import nn

net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))

def ones(m):
    if type(m) is nn.Linear:
        nn.init.ones_(m.weight)

net.apply(ones)
{rest}
"""


@pytest.mark.parametrize(
    ("rest", "severity"),
    [
        ("print(net[0].weight.data[0])", Severity.NOTE),
        ("net[0].weight", Severity.NOTE),
        ("state = net.state_dict()\nprint('fc:', state['0.weight'])", Severity.NOTE),
        ("saved = torch.load('net.pt')\nprint(saved['bias'])", Severity.NOTE),
        ("scores = {'weight_decay': 0}\nprint(scores['weight_decay'])", Severity.WARNING),
        ("print(net[0].weight)\nnet(torch.ones(2, 4)).sum().backward()", Severity.WARNING),
        ("print(net)", Severity.WARNING),
    ],
)
def test_constants_are_a_note_where_weights_are_only_shown(
    rest: str, severity: Severity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lesson.py").write_text(SCRIPT.format(rest=rest), encoding="utf-8")
    (finding,) = initaudit.check(["lesson.py"], select=["INI508"], preview=True).findings
    assert finding.severity is severity


LESSON = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = [nn.Linear(4, 4) for _ in range(3)]

    def forward(self, x):
        for part in self.parts:
            x = part(x)
        return x

{rest}
"""


@pytest.mark.parametrize(
    ("rest", "severity"),
    [
        ("net = Net()\nprint(net)", Severity.NOTE),
        ("net = Net()\nprint('a list:', net)\nnet = nn.Linear(3, 4)\nprint(net)", Severity.NOTE),
        ("net = Net()\nprint(net)\nclass Net(nn.Linear):\n    pass\nprint(Net(3, 4))", Severity.NOTE),
        ("net = Net()\nprint(net(torch.ones(2, 4)))", Severity.ERROR),
        ("net = Net()\nprint(net)\nnet(torch.ones(2, 4)).sum().backward()", Severity.ERROR),
        ("net = Net()\nprint(net)\ndef fit():\n    return Net()", Severity.ERROR),
        ("for _ in range(3):\n    Net()(torch.ones(2, 4))", Severity.ERROR),
    ],
)
def test_a_plain_list_is_a_note_where_a_lesson_only_prints_the_model(
    rest: str, severity: Severity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lesson.py").write_text(LESSON.format(rest=rest), encoding="utf-8")
    (finding,) = initaudit.check(["lesson.py"], select=["INI226"]).findings
    assert finding.severity is severity


@pytest.mark.parametrize(
    ("rest", "severity"),
    [
        ("print(net[0].weight)", Severity.NOTE),
        ("net[0].weight.data[:2]", Severity.NOTE),
        ("print(net[0].weight)\nnet(torch.ones(2, 64)).sum().backward()", Severity.WARNING),
        ("print(net(torch.ones(2, 64)))", Severity.WARNING),
    ],
)
def test_draws_are_a_note_where_weights_are_only_shown(
    rest: str, severity: Severity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    text = SCRIPT.replace("(4, 8)", "(64, 64)").replace("(8, 1)", "(64, 64)").replace("init.ones_", "init.normal_")
    Path("lesson.py").write_text(text.format(rest=rest), encoding="utf-8")
    (finding,) = initaudit.check(["lesson.py"], select=["INI407"], preview=True).findings
    assert finding.severity is severity
