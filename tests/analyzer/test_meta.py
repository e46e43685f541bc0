"""What is lost on the meta device, whatever else a project has that fills models."""

from __future__ import annotations

from pathlib import Path

import pytest

from initaudit.analyzer import analyze
from initaudit.observation import Question
from initaudit.subjects.lost_on_meta import NotRestored

FRAMEWORK = """
from torch import nn

class PreTrainedModel(nn.Module):
    def post_init(self):
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if "RMSNorm" in module.__class__.__name__:
            nn.init.ones_(module.weight)
"""
MODEL = """
import torch
from torch import nn
from transformers.modeling_utils import PreTrainedModel

class Model(PreTrainedModel):
    def __init__(self, n):
        super().__init__()
        self.fc = nn.Linear(n, n)
        self.scale = nn.Parameter(torch.ones(n))
        self.post_init()

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            module.weight.data.normal_(std=0.02)
"""
LOADER = """
import torch

def load_arrays(model, arrays):
    for name, parameter in model.named_parameters():
        parameter.data = torch.from_numpy(arrays[name])
"""
COPIER = """
def copy_weights(one, other):
    for left, right in zip(one.parameters(), other.parameters()):
        left.data.copy_(right.data)
"""


def not_restored(folder: Path, files: dict[str, str]) -> list[str]:
    """Write a package, and return the names of the parameters that are lost."""
    paths = [folder / "transformers" / f"{name}.py" for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    seen = analyze(list(map(str, paths)), questions=frozenset({Question("NotRestored")}), jobs=1)
    return [fact.name for one in seen for fact in one.facts if isinstance(fact, NotRestored)]


@pytest.mark.parametrize("other", ["", LOADER, COPIER])
def test_a_function_that_would_fill_any_model_restores_none(other: str, tmp_path: Path) -> None:
    files = {"__init__": "", "modeling_utils": FRAMEWORK, "model": MODEL, "other": other}
    assert not_restored(tmp_path, files) == ["scale"]


NORM = """
import torch
from torch import nn
from transformers.modeling_utils import PreTrainedModel

class OwnRMSNorm(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n))

class Model(PreTrainedModel):
    def __init__(self, n):
        super().__init__()
        self.norm = OwnRMSNorm(n)
        self.post_init()
{init}"""
OVERRIDE = """
    def _init_weights(self, module):
        {body}
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
"""


@pytest.mark.parametrize(
    ("init", "lost"),
    [
        ("", []),
        (OVERRIDE.format(body="super()._init_weights(module)"), []),
        (OVERRIDE.format(body="super(Model, self)._init_weights(module)"), []),
        (OVERRIDE.format(body="pass"), ["weight"]),
    ],
)
def test_what_the_initializer_of_the_base_writes_is_restored(init: str, lost: list[str], tmp_path: Path) -> None:
    assert (
        not_restored(tmp_path, {"__init__": "", "modeling_utils": FRAMEWORK, "model": NORM.format(init=init)}) == lost
    )


PARTS = """
import torch
from torch import nn
from transformers.modeling_utils import PreTrainedModel

class Router(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(n, n))

class Block(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.gate = Router(n)

class Model(PreTrainedModel):
    def __init__(self, n):
        super().__init__()
        self.block = Block(n)
        self.post_init()

    def _init_weights(self, module):
        if isinstance(module, {kind}):
            {write}
"""


@pytest.mark.parametrize(
    ("kind", "write", "lost"),
    [
        ("Block", "module.gate.weight.data.normal_(std=0.02)", []),
        ("Router", "nn.init.normal_(module.weight)", []),
        ("Model", "nn.init.normal_(module.block.gate.weight)", []),
        ("Block", "print(module.gate.weight)", ["weight"]),
        ("nn.Linear", "nn.init.normal_(module.weight)", ["weight"]),
    ],
)
def test_what_is_initialized_with_the_part_around_it_is_restored(
    kind: str, write: str, lost: list[str], tmp_path: Path
) -> None:
    model = PARTS.format(kind=kind, write=write)
    assert not_restored(tmp_path, {"__init__": "", "modeling_utils": FRAMEWORK, "model": model}) == lost
