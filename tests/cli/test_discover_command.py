"""`initaudit check --probe --discover`: which module classes are built, and what is said of the others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytest.importorskip("torch", reason="the probe runs with torch")

NETS = """\
import abc
import enum
from dataclasses import dataclass
from typing import Literal, Optional

import torch
from torch import nn


@dataclass
class Inner:
    width: int


@dataclass
class Config:
    inner: Inner
    layers: int = 2


class Kind(enum.Enum):
    ONE = 1


class Scaled(nn.Module):
    pass


class Holder(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner


class Unused(nn.Module):
    pass


class Block(Scaled):
    def __init__(self, dim, heads: int, extra: bool = False):
        super().__init__()
        self.holder = Holder(nn.Identity())
        self.extra = Unused() if extra else None
        self.attn = nn.MultiheadAttention(dim, heads)
        self.scale = nn.Parameter(torch.empty(dim))

    def forward(self, x):
        return self.attn(x, x, x)[0] * self.scale


class Net(nn.Module):
    def __init__(self, config: Config, kind: Kind, mode: Literal["a", "b"], name: Optional[str]):
        super().__init__()
        assert (kind, mode, name) == (Kind.ONE, "a", None)
        self.blocks = nn.ModuleList(Block(config.inner.width, 4) for _ in range(config.layers))
        nn.init.ones_(self.blocks[0].scale)
        nn.init.ones_(self.blocks[1].scale)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


class Wrong(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.head = nn.Linear(dim, dim)
        self.head.weight.data.fill_(float("nan"))

    def forward(self, x):
        return self.head(x)


class Raw(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.empty(3))

    def forward(self, x):
        return x * self.scale


class Needs(nn.Module):
    def __init__(self, encoder: nn.Module, dim: int, path):
        super().__init__()
        self.encoder = encoder

    def forward(self, x):
        return self.encoder(x)


class Refuses(nn.Module):
    def __init__(self, dim: int, rank: int):
        super().__init__()
        if dim < 7 * rank:
            raise ValueError("too small")
        self.fc = nn.Linear(dim, rank)

    def forward(self, x):
        return self.fc(x)


class Stacked(nn.Module):
    def __init__(self, block: type[Wrong], layers: list[int], layer: type[nn.Module] = nn.Linear):
        super().__init__()
        self.first = nn.ModuleList(block(8) for _ in range(layers[0]))
        self.last = nn.ModuleList(block(8) for _ in range(layers[3]))


class Bare(nn.Module):
    def __init__(self):
        self.weight = 1.0


class Abstract(nn.Module, abc.ABC):
    @abc.abstractmethod
    def forward(self, x): ...


class Plain:
    pass
"""
TRAIN = """\
import nets


def setup(module):
    if isinstance(module, nets.Raw):
        module.scale.data.fill_(1.0)


def build():
    net = nets.Raw()
    net.apply(setup)
    return net


raise RuntimeError("this file has no model and is not imported")
"""


def check(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "initaudit", "check", *arguments, "--isolated", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)


def test_what_can_be_given_arguments_is_built_and_the_others_are_told_with_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(NETS, encoding="utf-8")
    (tmp_path / "train.py").write_text(TRAIN, encoding="utf-8")
    ran = check(tmp_path, ".", "--probe", "--discover", "--output-format", "json", "--show-unknown")

    probed = [one for one in json.loads(ran.stdout) if any(each["observer"] == "probe" for each in one["evidence"])]
    assert [(one["code"], one["parameter"]) for one in probed if one["severity"] == "error"] == [
        ("INI601", "head.weight")
    ]
    assert ran.returncode == 1
    assert "3 models built, 5 not built" in ran.stderr
    for line in (
        "nets.py:Needs: not built: no value is known for `encoder`, `path`",
        "nets.py:Refuses: not built: its constructor raised ValueError: too small",
        "nets.py:Raw: not built: `build` initializes it after its construction",
        "nets.py:Bare: not built: `Bare.__init__` does not call `super().__init__()`",
        "nets.py:Unused: not built: no model that was built holds it",
    ):
        assert line in ran.stderr
    assert "not imported" not in ran.stderr and "Block" not in ran.stderr and "Abstract" not in ran.stderr

    configuration = ran.stderr.partition("add to pyproject.toml:\n")[2].rpartition("\n\n")[0]
    models = tomllib.loads(configuration)["tool"]["initaudit"]["models"]
    assert models == [
        {"target": "train.py:build"},
        {"target": "nets.py:Needs", "kwargs": {"encoder": "torch.nn.modules.module.Module", "path": "?"}},
        {"target": "nets.py:Refuses", "kwargs": {"dim": 64, "rank": 64}},
        {"target": "nets.py:Bare"},
        {"target": "nets.py:Unused"},
    ]


def test_files_that_cannot_be_imported_are_told_and_the_others_are_built(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import torch\nclass A(torch.nn.Module):\n    pass\n1 / 0\n", encoding="utf-8")
    (tmp_path / "fine.py").write_text(
        "from torch import nn\n\n\nclass Net(nn.Linear):\n    def __init__(self, in_features=4, out_features=2):\n"
        "        super().__init__(in_features, out_features)\n",
        encoding="utf-8",
    )
    ran = check(tmp_path, ".", "--probe", "--discover", "--show-unknown")
    assert ran.returncode == 0, ran.stderr
    assert "broken.py: its classes were not built: importing broken raised ZeroDivisionError" in ran.stderr
    assert "not imported: broken.py: importing broken raised ZeroDivisionError" in ran.stderr
    assert "1 model built, 1 not built" in ran.stderr


def test_nothing_is_built_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text("import torch\n", encoding="utf-8")
    ran = check(tmp_path, ".", "--discover")
    assert ran.returncode == 2
    assert "--discover builds models, which needs --probe" in ran.stderr
    ran = check(tmp_path, ".", "--probe", "--discover")
    assert ran.returncode == 0, ran.stderr
    assert "no module class was found that is not configured" in ran.stderr
