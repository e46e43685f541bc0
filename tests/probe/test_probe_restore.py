"""What is lost when a model loses its values and is initialized once more."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from initaudit.finding import Place
from initaudit.probe.facts.timelines import Timelines
from initaudit.probe.record.poison import Verdict, control_build
from initaudit.probe.replay.restore import not_restored


def lost(make: type[nn.Module]) -> dict[str, int]:
    """The names of what is lost, and how many elements of it."""
    control = control_build(make, 0)
    timelines = Timelines(control, Verdict(), Place("model.py", 1, 1, 1, 2), "model.py:Net")
    return {one.name: one.unwritten.elements for one in not_restored(control.model, timelines, 0) if one.unwritten}


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))
        self.gamma = nn.Parameter(torch.ones(3))
        self.register_buffer("steps", torch.arange(4.0))

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.weight)
        self.steps[:2] = torch.arange(2.0)


class Framework(nn.Module):
    """As transformers initializes: what is marked as done is left alone."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 2)
        self.scale = nn.Parameter(torch.ones(5))
        self.register_buffer("kept", torch.ones(2))
        self.register_buffer("table", torch.ones(2), persistent=False)
        self.init_weights()

    def init_weights(self) -> None:
        self.apply(self._init_weights)

    def _init_weights(self, module: nn.Module) -> None:
        if not getattr(module, "_is_hf_initialized", False) and isinstance(module, nn.Linear):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
        module._is_hf_initialized = True


class Nobody(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(3))
        self.fc = nn.Linear(2, 2)


def test_what_reset_parameters_leaves_out_is_lost_element_by_element() -> None:
    assert lost(Scale) == {"gamma": 3, "steps": 2}


def test_a_framework_writes_again_what_it_has_marked_and_its_loader_keeps_persistent_buffers() -> None:
    assert lost(Framework) == {"scale": 5, "table": 2}


def test_where_no_initializer_is_promised_nothing_is_said() -> None:
    assert lost(Nobody) == {}


def test_what_an_initializer_raises_goes_to_the_caller() -> None:
    class Broken(Scale):
        def reset_parameters(self) -> None:
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        lost(Broken)
