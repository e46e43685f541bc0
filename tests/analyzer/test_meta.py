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
        pass
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


@pytest.mark.parametrize("other", ["", LOADER, COPIER])
def test_a_function_that_would_fill_any_model_restores_none(other: str, tmp_path: Path) -> None:
    files = {"__init__": "", "modeling_utils": FRAMEWORK, "model": MODEL, "other": other}
    for name, text in files.items():
        path = tmp_path / "transformers" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    paths = [str(tmp_path / "transformers" / f"{name}.py") for name in files]
    seen = analyze(paths, questions=frozenset({Question("NotRestored")}), jobs=1)
    assert [fact.name for one in seen for fact in one.facts if isinstance(fact, NotRestored)] == ["scale"]
