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


POSITIVE = "nn.init.uniform_({0}.weight, 0, 0.01)\n"
OF_ONE_UNIT = {
    "an item of a sequence": "net = nn.Sequential(nn.Linear({0}, {1}))\n" + POSITIVE.format("net[0]"),
    "a variable": "net = nn.Linear({0}, {1})\n" + POSITIVE.format("net"),
    "an attribute": "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    "        self.a = nn.Linear({0}, {1})\n        nn.init.uniform_(self.a.weight, 0, 0.01)\n",
    "a loop": "net = nn.Sequential(nn.Linear({0}, {1}))\nfor m in net:\n    if isinstance(m, nn.Linear):\n        "
    + POSITIVE.format("m"),
}


@pytest.mark.parametrize("body", OF_ONE_UNIT.values(), ids=OF_ONE_UNIT)
def test_positive_weights_of_one_unit_make_no_outputs_alike(
    body: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert found(body.format(784, 1), monkeypatch, tmp_path) == []
    (message,) = found(body.format(784, 10), monkeypatch, tmp_path)
    assert "all outputs are nearly the same" in message
    assert found(body.format(2, 10), monkeypatch, tmp_path) == []


def test_all_layers_of_a_walk_have_to_have_one_unit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    body = "net = nn.Sequential(nn.Linear(64, 1), nn.Linear(64, 8))\n" + WALK.format("net")
    (message,) = found(body.replace("normal_(m.weight)", "uniform_(m.weight)"), monkeypatch, tmp_path)
    assert "all outputs are nearly the same" in message


def test_a_variable_is_what_its_branch_gives_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    body = (
        "def main(own, other):\n    if own:\n        net = nn.Sequential(nn.Linear({0}, {1}))\n"
        "        with torch.no_grad():\n            net[0].weight.data.uniform_(0.0, 0.01)\n"
        "    else:\n        net = other(nn.Linear(900, 7))\n    return net\n"
    )
    assert found(body.format(2, 4), monkeypatch, tmp_path) == []
    assert found(body.format(784, 1), monkeypatch, tmp_path) == []
    (message,) = found(body.format(784, 10), monkeypatch, tmp_path)
    assert "784 inputs" in message
