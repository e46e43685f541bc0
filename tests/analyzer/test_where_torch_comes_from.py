"""A file is read if torch comes to it: by an import, or from another file of the project, by name or by a star."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit

NET = "class Net(nn.Module):\n    def __init__(self):\n        self.w = nn.Parameter(torch.zeros(8))\n"
BASE = "import torch\nimport torch.nn as nn\n"
DRAWN = """
def init(m):
    if m.__class__.__name__ == "Conv2d":
        m.weight.data.normal_(0, 0.02)

def build():
    net = models.resnet18(pretrained=True)
    net.apply(init)
    return net
"""


def codes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: dict[str, str]) -> list[str]:
    monkeypatch.chdir(tmp_path)
    for name, text in files.items():
        path = Path(name).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [each.code for each in initaudit.check(["."], select=["INI208", "INI228"]).findings]


@pytest.mark.parametrize(
    "files",
    [
        {"net": BASE + NET},
        {"base": BASE, "net": "from base import *\n" + NET},
        {"base": BASE, "net": "from base import nn, torch\n" + NET},
        {"base": BASE, "middle": "from base import *\n", "net": "from middle import *\n" + NET},
        {"pack/__init__": BASE, "pack/net": "from . import nn, torch\n" + NET},
        {"base": BASE, "net": "import base\n" + NET.replace("nn.", "base.nn.").replace("torch", "base.torch")},
    ],
    ids=["itself", "star", "name", "two stars", "package", "module"],
)
def test_a_file_is_read_wherever_it_has_torch_from(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert codes(monkeypatch, tmp_path, files) == ["INI228"]


def test_a_package_of_models_is_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert codes(monkeypatch, tmp_path, {"net": "from torchvision import models\n" + DRAWN}) == ["INI208"]


def test_another_framework_is_not_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    paddle = "import paddle as torch\nimport paddle.nn as nn\nfrom paddle import models\n"
    assert codes(monkeypatch, tmp_path, {"net": paddle + NET + DRAWN}) == []


STOOD_IN = """
class Net({base}):
    def __init__(self):
        super().__init__()
        self.w = Parameter(torch.empty(8))
"""
TRIED = "import torch\nfrom torch.nn import Parameter\n"
MODULE = "    class Module:\n        pass\n"
NAMESPACE = "    class nn:\n        class Module:\n            pass\n"
EMPTY = "    class Module(object):\n        pass\n"
ASSIGNED = "import torch.nn as nn\nif found:\n    Base = nn.Module\nelse:\n    class Base:\n        None\n"
IMPORTED = "    from torch.nn import Module\n"
FALLBACK = "except ImportError:\n"


def raw(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(text, encoding="utf-8")
    return [each.code for each in initaudit.check(["."], select=["INI101"]).findings]


@pytest.mark.parametrize(
    ("head", "base"),
    [
        (f"if torch is not None:\n    from torch import nn\nelse:\n{NAMESPACE}", "nn.Module"),
        (f"try:\n{IMPORTED}{FALLBACK}{EMPTY}", "Module"),
        (ASSIGNED, "Base"),
        (f"try:\n{MODULE}{IMPORTED}{FALLBACK}    pass\n", "Module"),
    ],
    ids=["namespace", "module", "assigned", "before"],
)
def test_a_class_for_where_torch_is_missing_hides_nothing(
    head: str, base: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert raw(monkeypatch, tmp_path, TRIED + head + STOOD_IN.format(base=base)) == ["INI101"]


@pytest.mark.parametrize(
    ("head", "base"),
    [
        ("from torch import nn\nclass nn:\n    class Module:\n        pass\n", "nn.Module"),
        (f"try:\n    from mine import Module\n{FALLBACK}{MODULE}", "Module"),
        ("if found:\n    Base = dict\nelse:\n    class Base:\n        pass\n", "Base"),
        (
            "from torch import nn\ntry:\n    from torch.nn import Module\nexcept ImportError:\n"
            "    class Module(nn.Module):\n        def __init__(self):\n            self.w = 1\n",
            "dict",
        ),
    ],
    ids=["always", "another", "no module", "no base"],
)
def test_a_class_that_is_not_for_where_torch_is_missing_stays(
    head: str, base: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert raw(monkeypatch, tmp_path, TRIED + head + STOOD_IN.format(base=base)) == []
