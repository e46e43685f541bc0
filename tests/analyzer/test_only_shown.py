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
