"""Whether values look drawn is told by the values, and only of those that were not seen to be drawn."""

from __future__ import annotations

import math

import pytest
import torch

from initaudit.probe.facts.seeds import looks_random


@pytest.mark.parametrize("seed", range(20))
def test_independent_draws_look_random(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    assert looks_random(torch.randn(40, 30, generator=generator))
    assert looks_random(torch.rand(16, 3, 3, 3, generator=generator))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(1024.0),
        torch.arange(1024.0).reshape(32, 32) % 7,
        torch.sin(torch.arange(64.0)[:, None] * torch.logspace(0, -4, 16)),
        torch.eye(32),
        torch.linspace(0, 1, 512).reshape(2, 256),
        torch.cos(math.pi / 32 * torch.arange(32.0)[:, None] * (torch.arange(32.0) + 0.5)),
        torch.randn(8),
        torch.randn(300).cumsum(0),
    ],
    ids=["a count", "a pattern", "positions", "an identity", "ramps", "a cosine transform", "too few", "a walk"],
)
def test_tables_and_ramps_do_not(tensor: torch.Tensor) -> None:
    assert not looks_random(tensor)
