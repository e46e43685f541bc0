"""Signals that are concatenated, added, pooled and normalized before a rectifier, and whose units are dead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

Observe = Callable[..., Any]


class Branches(nn.Module):
    """Two branches of convolutions that meet before a rectifier, with a normalization in each, after them or none."""

    def __init__(self, meet: str, offset: float, normalized: str) -> None:
        super().__init__()
        self.meet, self.normalized = meet, normalized
        self.stem, self.wide, self.narrow = nn.Conv2d(3, 16, 1), nn.Conv2d(16, 32, 3, padding=1), nn.Conv2d(16, 32, 1)
        self.one, self.two, self.both = nn.BatchNorm2d(32), nn.BatchNorm2d(32), nn.BatchNorm2d(64)
        offsets = {"each": (self.one, self.two), "after": (self.both,), "no": (self.wide, self.narrow)}[normalized]
        for layer in offsets:
            nn.init.constant_(layer.bias, offset)
        self.head = nn.Linear(32 if meet == "add" else 64, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(self.stem(x))
        one, two = self.wide(x), self.narrow(x)
        if self.normalized == "each":
            one, two = self.one(one), self.two(two)
        met = one + two if self.meet == "add" else torch.cat([one, two], dim=1)
        met = functional.max_pool2d(met, 2)
        if self.normalized == "after":
            met = self.both(met)
        return self.head(functional.relu(met).mean((2, 3)))


CASES = [("cat", "each"), ("cat", "after"), ("cat", "no"), ("add", "no")]


@pytest.mark.parametrize(("meet", "normalized"), CASES)
def test_dead_units_are_told_behind_whatever_precedes_the_rectifier(
    observe: Observe, meet: str, normalized: str
) -> None:
    seen = observe(lambda: Branches(meet, -10.0, normalized), (32, 3, 8, 8))
    assert set(seen.codes) == {"INI704"}
    assert all(("bias" in message) for message in seen.messages)
    assert observe(lambda: Branches(meet, 0.1, normalized), (32, 3, 8, 8)).codes == []


def test_only_the_branch_that_is_dead_is_told(observe: Observe) -> None:
    def make() -> nn.Module:
        model = Branches("cat", 0.0, "each")
        nn.init.constant_(model.two.bias, -10.0)
        return model

    (message,) = observe(make, (32, 3, 8, 8)).messages
    assert "`two.bias`" in message


class Preactivated(nn.Module):
    """Blocks that normalize and rectify before they convolve."""

    def __init__(self, offset: float) -> None:
        super().__init__()
        self.stem = nn.Linear(8, 32)
        self.norms = nn.ModuleList(nn.BatchNorm1d(32) for _ in range(3))
        self.layers = nn.ModuleList(nn.Linear(32, 32) for _ in range(3))
        nn.init.constant_(self.norms[0].bias, offset)
        self.head = nn.Linear(32, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            x = x + layer(torch.relu(norm(x)))
        return self.head(x)  # type: ignore[no-any-return]


def test_a_normalization_that_kills_a_block_is_told(observe: Observe) -> None:
    assert observe(lambda: Preactivated(-10.0), (32, 8)).codes == ["INI704"]
    assert observe(lambda: Preactivated(0.0), (32, 8)).codes == []
