"""INI407 counts the inputs of the layers that a statement or a walk draws, so that few inputs are not reported."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit

HEAD = "import torch\nfrom torch import nn\nfrom collections import OrderedDict\n"
SEQUENCE = "net = nn.Sequential(nn.Linear({0}, 8), nn.ReLU(), nn.Linear(8, 1))\n"
NAMED = "net = nn.Sequential(OrderedDict([('a', nn.Linear({0}, 8)), ('b', nn.Linear(8, 1))]))\n"
WALK = "for m in {0}:\n    if isinstance(m, nn.Linear):\n        nn.init.normal_(m.weight)\n"
INIT = "def init(m):\n    if isinstance(m, nn.Linear):\n        m.weight.data.normal_()\n"
NET = (
    "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a = nn.Linear({0}, 8)\n"
    "        self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])\n        {1}\n"
    "net = Net()\ntorch.optim.SGD(net.parameters(), lr=0.1)\n"
)
BODIES = {
    "an item of a sequence": SEQUENCE + "nn.init.normal_(net[0].weight)\n",
    "a loop over named items": NAMED + WALK.format("net.children()"),
    "a loop over a sequence": SEQUENCE + WALK.format("net"),
    "a loop over the modules of a model": NET.format("{0}", "pass") + WALK.format("net.modules()"),
    "a function that is applied": INIT + SEQUENCE + "net.apply(init)\n",
    "a lambda that is applied": SEQUENCE
    + "net.apply(lambda m: m.weight.data.normal_() if type(m) is nn.Linear else 0)\n",
    "a loop over own modules": NET.format("{0}", WALK.format("self.modules()").replace("\n", "\n        ")),
    "a loop over own parameters": NET.format(
        "{0}", "for n, p in self.named_parameters():\n            if 'weight' in n:\n                p.data.normal_()"
    ),
    "a name for the size": "size = {0}\n" + SEQUENCE.format("size") + WALK.format("net"),
}


def found(body: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(HEAD + body, encoding="utf-8")
    return [each.message for each in initaudit.check(["train.py"], select=["INI407"], preview=True).findings]


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_few_inputs_are_silent_and_many_are_counted(body: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert found(body.replace("{0}", "4"), monkeypatch, tmp_path) == []
    (message,) = found(body.replace("{0}", "784"), monkeypatch, tmp_path)
    assert "784 inputs" in message
    assert "28 times larger" in message


def test_a_method_of_the_same_name_in_another_class_is_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one = (
        "class {0}(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.a = nn.Linear({1}, 8)\n        self.apply(self.start)\n"
        "    def start(self, m):\n        if isinstance(m, nn.Linear):\n"
        "            m.weight.data.normal_()\n"
    )
    body = one.format("Small", 4) + one.format("Large", 784)
    (message,) = found(f"{body}nets = Small(), Large()\ntorch.optim.SGD(nets[0].parameters())\n", monkeypatch, tmp_path)
    assert "784 inputs" in message
