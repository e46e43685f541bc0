"""INI407 leaves an equalized learning rate alone: a forward that scales by one over a square root needs N(0, 1)."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit

HEAD = (
    "import math\nimport numpy as np\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
    "class Net(nn.Module):\n    def __init__(self, fan, units):\n        super().__init__()\n        self.fan = fan\n"
)
END = "net = Net(512, 512)\ntorch.optim.Adam(net.parameters())\n"
LAYER = "        self.a = nn.Linear(fan, units)\n        nn.init.normal_(self.a.weight)\n        {0}\n"
OWN = "        self.a = nn.Parameter(torch.randn(units, fan))\n        {0}\n"
FORWARD = "    def forward(self, x):\n        {1}\n"
SCALED = {
    "the input of a layer": (LAYER, "self.c = np.sqrt(2) / np.sqrt(fan)", "return self.a(x * self.c)"),
    "the input, by a method": (
        LAYER,
        "self.register_buffer('c', torch.tensor((2 / fan) ** 0.5))",
        "return self.a(x.mul(self.c))",
    ),
    "the input, in a statement before": (LAYER, "pass", "x = x / self.a.in_features**0.5; return self.a(x)"),
    "the input, in place": (LAYER, "gain = math.sqrt(1 / fan); self.c = gain", "x *= self.c; return self.a(x)"),
    "the output of a layer": (LAYER, "self.c = fan**-0.5", "return torch.relu(self.a(x) * self.c)"),
    "the output under a name": (LAYER, "pass", "y = self.a(x); return y / math.sqrt(self.fan)"),
    "the weight of a layer": (LAYER, "pass", "return F.linear(x, self.a.weight / math.sqrt(self.fan))"),
    "the input of an own weight": (OWN, "self.c = 1 / math.sqrt(fan)", "return F.linear(x * self.c, self.a)"),
    "the input of an own product": (OWN, "pass", "x = x * self.fan**-0.5; return x @ self.a.t()"),
}
UNSCALED = {
    "pixels": (LAYER, "pass", "return self.a(x / 255)"),
    "a mask": (LAYER, "self.register_buffer('c', torch.ones(fan))", "return self.a(x * self.c)"),
    "a larger input": (LAYER, "pass", "return self.a(x * math.sqrt(self.fan))"),
    "products of outputs": (LAYER, "pass", "return (self.a(x) @ x.t() / math.sqrt(self.fan)).softmax(-1)"),
    "a distance elsewhere": (LAYER, "pass", "y = self.a(x); return y, x / math.sqrt(self.fan)"),
    "pixels of an own weight": (OWN, "pass", "return F.linear(x / 255, self.a)"),
}
WRAPPED = """
def equal(layer):
    layer.register_forward_pre_hook(scale)
    return layer
class Net(nn.Module):
    def __init__(self, fan, units):
        super().__init__()
        layer = nn.Linear(fan, units)
        layer.weight.data.normal_()
        self.layer = {0}
    def forward(self, x):
        return self.layer(x)
"""


def found(body: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(body + END, encoding="utf-8")
    return [each.code for each in initaudit.check(["train.py"], select=["INI407"]).findings]


def source(made: str, constructor: str, forward: str) -> str:
    return HEAD + (made + FORWARD).format(constructor, forward)


@pytest.mark.parametrize("parts", SCALED.values(), ids=SCALED)
def test_what_the_forward_scales_is_silent(
    parts: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert found(source(*parts), monkeypatch, tmp_path) == []


@pytest.mark.parametrize("parts", UNSCALED.values(), ids=UNSCALED)
def test_what_no_root_makes_smaller_is_reported(
    parts: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert found(source(*parts), monkeypatch, tmp_path) == ["INI407"]


@pytest.mark.parametrize(("kept", "expected"), [("equal(layer)", []), ("layer", ["INI407"])])
def test_a_layer_that_a_function_wraps_is_silent(
    kept: str, expected: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert found(HEAD.partition("class")[0] + WRAPPED.format(kept), monkeypatch, tmp_path) == expected
