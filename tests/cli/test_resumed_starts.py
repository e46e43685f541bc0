"""A start from which nothing can be learned, in projects whose programs load checkpoints into the model, or may."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit

NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.one = nn.Linear(n, 8)
        self.two = nn.Linear(8, 1)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.zeros_(m.weight)
                nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.two(torch.sigmoid(self.one(x)))
"""
TRAIN = """
import torch
from torch import nn
from net import Net


def resume(model, path):
    model.load_state_dict(torch.load(path)["model"])


def main(args):
    model = Net(args.n)
    {use}
    optimizer = torch.optim.Adam(model.parameters())
    for x in args.data:
        model(x).mean().backward()
        optimizer.step()


main(torch.load("args.pt"))
"""
EVALUATE = """
import torch
from net import Net

model = Net(4)
model.load_state_dict(torch.load("net.pt"))
print(sum(p.numel() for p in model.parameters()))
"""


def told(use: str, **others: str) -> bool:
    """Whether the start is reported where a program uses the model in some way."""
    for name, text in {"net": NET, "train": TRAIN.format(use=use), **others}.items():
        Path(f"{name}.py").write_text(text, encoding="utf-8")
    return bool(initaudit.check(["."], select=["INI501"]).findings)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".git").mkdir()


@pytest.mark.parametrize(
    "use",
    [
        "print(model)",
        "if args.ckpt:\n        resume(model, args.ckpt)",
        "if args.resume:\n        model.load_state_dict(torch.load(args.resume))",
        "if args.go_on:\n        state = torch.load(args.go_on)\n        model.load_state_dict(state['model'])",
    ],
)
def test_a_load_under_an_option_resumes_what_began_somewhere(use: str) -> None:
    assert told(use)
    assert told(use, evaluate=EVALUATE)


@pytest.mark.parametrize(
    "use",
    [
        "resume(model, args.ckpt)",
        "model.load_state_dict(torch.load(args.pretrained))",
        "for p in model.parameters():\n        nn.init.normal_(p, std=0.02)",
        "for m in model.modules():\n        if isinstance(m, nn.Linear):\n            m.weight.data.normal_()",
        "if args.draw:\n        model.apply(lambda m: [nn.init.normal_(p) for p in m.parameters(recurse=False)])",
    ],
)
def test_what_every_program_loads_or_some_draws_is_its_start(use: str) -> None:
    assert not told(use)
    assert not told(use, evaluate=EVALUATE)
