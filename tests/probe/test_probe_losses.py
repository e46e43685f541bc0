"""The initial loss where only a guess says that an output is over classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

Observe = Callable[..., Any]
MEANS = torch.tensor([273.15, 1013.0, 40.0])


class Added(nn.Module):
    """A last layer that multiplies and adds by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(0.1 * torch.randn(32, 3)), nn.Parameter(torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.addmm(self.bias, x, self.weight)


class Weather(nn.Module):
    """Quantities far from zero; the last layer starts at their means."""

    def __init__(self, last: Callable[[], Any], std: float | None = None) -> None:
        super().__init__()
        self.output_dim = 3
        self.body, self.out = nn.Linear(8, 32), last()
        with torch.no_grad():
            self.out.bias.copy_(MEANS)
            if std is not None:
                self.out.weight.normal_(0, std)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(self.body(x))
        return self.out(x.unsqueeze(-1)).flatten(1) if isinstance(self.out, nn.Conv1d) else self.out(x)


LAST = [lambda: nn.Linear(32, 3), Added, lambda: nn.Conv1d(32, 3, 1)]


@pytest.mark.parametrize("last", LAST)
def test_a_regression_that_starts_at_the_mean_is_not_too_sure(observe: Observe, last: Any) -> None:
    assert observe(lambda: Weather(last), (32, 8)).codes == []


@pytest.mark.parametrize("last", LAST)
def test_weights_that_are_too_large_for_either_are_told_beside_it(observe: Observe, last: Any) -> None:
    assert observe(lambda: Weather(last, std=50.0), (32, 8)).codes == ["INI705"]
