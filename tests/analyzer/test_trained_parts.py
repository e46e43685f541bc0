"""INI208 sees trained layers that a class loads as it is made, and that the code that builds it draws anew."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit

HEAD = "import torch\nfrom torch import nn\nfrom torchvision import models\n"
CLASS = (
    "class Net(nn.Module):\n    def __init__(self, n, pretrained=False):\n        super().__init__()\n        {0}\n"
    "        self.head = nn.Conv2d(512, n, 1)\n"
    "    def forward(self, x):\n        return self.head(self.trunk(x))\n"
)
INIT = "def init(m):\n    if isinstance(m, nn.{0}):\n        nn.init.normal_(m.weight, 0, 0.02)\n"
TRUNK = "self.trunk = models.vgg16(pretrained=True).features"
LISTED = "layers = list(models.vgg16(weights='DEFAULT').features.children()); self.trunk = nn.Sequential(*layers[:9])"
NAMED = "net = models.resnet18(pretrained=True); self.trunk = nn.Sequential(net.conv1, net.bn1)"
BUILD = "net = Net(3)\nnet.apply(init)\n"
TABLE = (
    "NETS = {'net': Net, 'other': nn.Linear}\ndef make(name):\n    kind = NETS[name]\n    net = kind(3)\n"
    "    net.apply(init)\n"
)
LOOP = (
    "net = Net(3)\nfor m in net.modules():\n    if isinstance(m, nn.Conv2d):\n"
    "        nn.init.xavier_normal_(m.weight)\n"
)
SEEN = {
    "an attribute of the model": (TRUNK, "Conv2d", BUILD),
    "a list of its layers": (LISTED, "Conv2d", BUILD),
    "layers by name": (NAMED, "Conv2d", BUILD),
    "a table of classes": (TRUNK, "Conv2d", TABLE),
    "a loop over the modules": (TRUNK, "Conv2d", LOOP),
}
SILENT = {
    "only when asked for": ("\n        ".join(("if pretrained:", f"    {TRUNK}")), "Conv2d", BUILD),
    "not trained": (TRUNK.replace("True", "False"), "Conv2d", BUILD),
    "other layers": (TRUNK, "ConvTranspose2d", BUILD),
    "the head alone": (TRUNK, "Conv2d", "net = Net(3)\nnet.head.apply(init)\n"),
    "loaded again": (TRUNK, "Conv2d", BUILD + "net.load_state_dict(torch.load('net.pt'))\n"),
    "a size": ("n = models.resnet18(pretrained=True).fc.in_features; self.trunk = nn.Linear(n, n)", "Conv2d", BUILD),
}


def found(parts: tuple[str, str, str], *, apart: bool) -> list[str]:
    trunk, kind, program = parts
    files = {"net.py": HEAD + CLASS.format(trunk), "train.py": HEAD + "from net import Net\n"}
    if not apart:
        files = {"train.py": files["net.py"]}
    files["train.py"] += INIT.format(kind) + program
    for name, text in files.items():
        Path(name).write_text(text, encoding="utf-8")
    return [each.message for each in initaudit.check(["."], select=["INI208"]).findings]


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("parts", SEEN.values(), ids=SEEN)
def test_trained_layers_that_are_drawn_anew(
    parts: tuple[str, str, str], apart: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (message,) = found(parts, apart=apart)
    assert message.endswith("(3)` loads")


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("parts", SILENT.values(), ids=SILENT)
def test_what_no_statement_draws_anew(
    parts: tuple[str, str, str], apart: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert found(parts, apart=apart) == []


@pytest.mark.parametrize("trunk", [TRUNK, LISTED, NAMED])
def test_a_constructor_that_draws_them_itself(trunk: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (message,) = found((f"{trunk}\n        self.apply(init)", "Conv2d", "net = Net(3)\n"), apart=False)
    assert message.startswith("`self.apply(init)`")
