"""What a program gives a model to may be an object of a plain class: its methods are followed, as functions are."""

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
        self.bias = nn.Parameter(torch.Tensor(n, n))

    def forward(self, x):
        return x + self.bias
"""
PROGRAM = """
import torch
from torch import nn
import helpers
from net import Net

def main(args):
    model = Net(args.n)
    helper = helpers.Helper(args.folder)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    {0}
    model(torch.ones(3, args.n)).sum().backward()
    optimizer.step()

main(None)
"""
HELPER = (
    "import torch\nfrom torch import nn\nclass Helper:\n    def __init__(self, folder):\n        self.folder = folder\n"
)
SAVES = "    def save(self, model):\n        torch.save({'model': model.cpu().state_dict()}, self.folder)\n"
COUNTS = "    def count(self, model, best=0):\n        return sum(p.numel() for p in model.parameters()) > best\n"
FILLS = "    def fill(self, model):\n        for p in model.parameters():\n            nn.init.normal_(p, std=0.02)\n"
KEEPS = (
    "    def take(self, model):\n        self.model = model\n        self.reset()\n"
    "    def reset(self):\n        for p in self.model.parameters():\n            p.data.normal_()\n"
)
CHECKPOINTS = HELPER.replace("Helper", "CheckpointSaver") + SAVES
CASES = {
    "saves it": (HELPER + SAVES, "helper.save(model)", ["INI101"]),
    "is named after what it saves": (CHECKPOINTS + "Helper = CheckpointSaver\n", "helper.save(model)", ["INI101"]),
    "asks it, by name": (HELPER + COUNTS, "helper.count(best=3, model=model)", ["INI101"]),
    "fills it": (HELPER + FILLS, "helper.fill(model)", []),
    "fills it, by name": (HELPER + FILLS, "helper.fill(model=model)", []),
    "keeps it and fills it": (HELPER + KEEPS, "helper.take(model)", []),
    "keeps it and fills it later": (
        HELPER + KEEPS.replace("        self.reset()\n", ""),
        "helper.take(model); helper.reset()",
        [],
    ),
}


@pytest.mark.parametrize(("helpers", "call", "codes"), CASES.values(), ids=CASES)
def test_methods_of_plain_objects(
    helpers: str, call: str, codes: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"net.py": NET, "helpers.py": helpers, "train.py": PROGRAM.format(call)}
    for name, text in files.items():
        Path(name).write_text(text, encoding="utf-8")
    report = initaudit.check(["."], select=["INI101", "INI102"])
    assert [each.code for each in report.findings] == codes
    assert not report.undecided
