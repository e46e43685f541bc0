"""Tables that are added to tokens, patches or features: those that hide them, and those that do not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

Observe = Callable[..., Any]
LENGTH, WIDTH = 12, 32


class Tokens(nn.Module):
    """Tokens and positions; what is added is a table that is looked up, a parameter, or constant sines."""

    def __init__(self, kind: str, token_std: float, position_std: float, scale: float = 1.0) -> None:
        super().__init__()
        self.kind, self.scale = kind, scale
        self.tokens = nn.Embedding(50, WIDTH)
        nn.init.normal_(self.tokens.weight, std=token_std)
        if kind == "table":
            self.where = nn.Embedding(LENGTH, WIDTH)
            nn.init.normal_(self.where.weight, std=position_std)
        elif kind == "parameter":
            self.where = nn.Parameter(position_std * torch.randn(1, LENGTH, WIDTH))
        else:
            angle = torch.arange(LENGTH)[:, None] / 10 ** (torch.arange(WIDTH)[None] / WIDTH)
            self.register_buffer("where", position_std * math.sqrt(2) * angle.sin())
        self.norm, self.out = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 5)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        where = self.where(torch.arange(ids.shape[1])) if self.kind == "table" else self.where
        x = self.tokens(ids) * self.scale
        x += where
        return self.out(self.norm(x)).mean(1)


def blamed(observe: Observe, make: Callable[[], nn.Module], *size: int, dtype: str | None = "int64") -> list[str]:
    findings = observe(make, size, dtype=dtype).findings
    assert {one.code for one in findings} <= {"INI701"}
    return [one.parameter for one in findings]


@pytest.mark.parametrize("kind", ["table", "parameter"])
def test_positions_that_are_drawn_as_large_as_one_hide_small_tokens(observe: Observe, kind: str) -> None:
    (name,) = blamed(observe, lambda: Tokens(kind, 0.02, 1.0), 32, LENGTH)
    assert name.startswith("where")


@pytest.mark.parametrize("kind", ["table", "constant"])
def test_tokens_that_are_fainter_than_usual_positions_are_blamed_themselves(observe: Observe, kind: str) -> None:
    assert blamed(observe, lambda: Tokens(kind, 1e-4, 0.02), 32, LENGTH) == ["tokens.weight"]


@pytest.mark.parametrize("kind", ["table", "parameter", "constant"])
@pytest.mark.parametrize(
    ("tokens", "positions", "scale"), [(0.02, 0.02, 1.0), (1.0, 0.02, 1.0), (0.2, 1.0, 1.0), (0.02, 0.7, 16.0)]
)
def test_other_scales_leave_the_tokens_to_be_seen(
    observe: Observe, kind: str, tokens: float, positions: float, scale: float
) -> None:
    assert blamed(observe, lambda: Tokens(kind, tokens, positions, scale), 32, LENGTH) == []


class Patches(nn.Module):
    """Patches of an image, or a projection of features, to which a learned table is added."""

    def __init__(self, *, image: bool, std: float) -> None:
        super().__init__()
        self.image = image
        self.patch = nn.Conv2d(3, WIDTH, 4, 4) if image else nn.Linear(6, WIDTH)
        nn.init.zeros_(self.patch.bias)
        self.start = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.where = nn.Parameter(std * torch.randn(1, 17, WIDTH))
        self.norm, self.out = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2) if self.image else self.patch(x)
        x = torch.cat([self.start.expand(len(x), -1, -1), x], dim=1)
        return self.out(self.norm(x + self.where)).mean(1)


@pytest.mark.parametrize(("image", "size"), [(True, (32, 3, 16, 16)), (False, (32, 16, 6))])
def test_patches_are_hidden_as_tokens_are(observe: Observe, image: bool, size: tuple[int, ...]) -> None:
    assert blamed(observe, lambda: Patches(image=image, std=50.0), *size, dtype=None) == ["where"]
    assert blamed(observe, lambda: Patches(image=image, std=1.0), *size, dtype=None) == []


class Latents(nn.Module):
    """Learned states that get a quiet branch on purpose: nothing straight from the input."""

    def __init__(self) -> None:
        super().__init__()
        self.states = nn.Parameter(torch.randn(1, LENGTH, WIDTH))
        self.enter, self.inner = nn.Linear(6, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.quiet = nn.Parameter(torch.full((WIDTH,), 1e-5))
        self.out = nn.Linear(WIDTH, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branch = self.inner(torch.tanh(self.enter(x)))
        return self.out((self.states + self.quiet * branch).mean(1)) + self.out(branch.mean(1))


def test_a_quiet_branch_beside_learned_states_is_not_hidden(observe: Observe) -> None:
    assert blamed(observe, Latents, 32, LENGTH, 6, dtype=None) == []
