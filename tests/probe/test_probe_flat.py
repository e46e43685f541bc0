"""Layers that put the units of a tanh or a sigmoid where they are flat, and what a bias is to blame for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

Observe = Callable[..., Any]
INPUT = (64, 32)


class Bounded(nn.Module):
    """Two layers before a bounded function each."""

    def __init__(self, std: float, bias: float = 0.0, act: Any = torch.tanh) -> None:
        super().__init__()
        self.one, self.two, self.out = nn.Linear(32, 64), nn.Linear(64, 64), nn.Linear(64, 3)
        self.act = act
        for layer in (self.one, self.two):
            nn.init.normal_(layer.weight, std=std)
            nn.init.constant_(layer.bias, bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.act(self.two(self.act(self.one(x)))))


class Gated(nn.Module):
    """A product of a tanh and a gate over a sum, as in WaveNet, between layers."""

    def __init__(self, std: float, bias: float = 0.0) -> None:
        super().__init__()
        self.embed, self.condition = nn.Linear(32, 64), nn.Linear(32, 128)
        self.filter, self.out = nn.Linear(64, 128), nn.Linear(64, 3)
        nn.init.normal_(self.filter.weight, std=std)
        nn.init.constant_(self.filter.bias, bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, gate = (self.filter(self.embed(x)) + self.condition(x)).chunk(2, dim=-1)
        return self.out(torch.tanh(left) * torch.sigmoid(gate))


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase], bound: float) -> None:
        super().__init__()
        self.rnn, self.out = kind(32, 48, batch_first=True), nn.Linear(48, 3)
        for parameter in self.rnn.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.rnn(x)[0][:, -1])


def flat(observe: Observe, make: Callable[[], nn.Module], size: tuple[int, ...] = INPUT) -> list[str]:
    return [one.message for one in observe(make, size).findings if one.code == "INI702" and "flat" in one.message]


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Bounded(3.0), "one.weight"),
        (lambda: Bounded(0.2, bias=10.0), "one.bias"),
        (lambda: Bounded(6.0, act=torch.sigmoid), "one.weight"),
        (lambda: Gated(3.0), "filter.weight"),
        (lambda: Gated(0.1, bias=-10.0), "filter.bias"),
    ],
)
def test_what_makes_a_bounded_function_flat_is_named(observe: Observe, make: Any, named: str) -> None:
    (message,) = flat(observe, make)
    assert f"`{named}` gives the" in message


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_so_are_the_weights_of_recurrent_layers(observe: Observe, kind: type[nn.RNNBase]) -> None:
    (message,) = flat(observe, lambda: Recurrent(kind, 8.0), (32, 6, 32))
    assert "rnn.weight" in message
    assert flat(observe, lambda: Recurrent(kind, 0.15), (32, 6, 32)) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: Bounded(0.2),
        lambda: Bounded(0.2, bias=-10.0, act=torch.sigmoid),  # gates that are closed
        lambda: Bounded(3.0, act=torch.relu),
        lambda: Gated(0.1, bias=1.0),
        lambda: nn.Sequential(nn.Linear(32, 64), nn.LayerNorm(64), nn.Tanh(), nn.Linear(64, 3)),
    ],
)
def test_usual_scales_closed_gates_and_other_functions_are_not(observe: Observe, make: Any) -> None:
    assert flat(observe, make) == []


def test_a_large_input_is_no_fault_of_the_weights(observe: Observe) -> None:
    class Raw(Bounded):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(100 * x)

    assert flat(observe, lambda: Raw(0.2)) == []


def test_a_bias_that_switches_units_off_is_blamed_though_xavier_drew_the_weights(observe: Observe) -> None:
    class Off(nn.Module):
        def __init__(self, bias: float) -> None:
            super().__init__()
            self.layers = nn.Sequential(
                nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
            )  # fmt: skip
            for layer in self.layers[::2]:
                nn.init.xavier_uniform_(layer.weight)
                nn.init.constant_(layer.bias, bias)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layers(x)

    (finding,) = (one for one in observe(lambda: Off(-4.0), INPUT).reported if one.severity.value != "note")
    assert (finding.code, finding.parameter) == ("INI704", "layers.0.bias")


def test_a_scale_that_the_graph_gives_is_no_normalization(observe: Observe) -> None:
    class Averaged(nn.Module):
        """The mean over neighbours, by their number."""

        def __init__(self) -> None:
            super().__init__()
            self.weight, self.out = nn.Parameter(torch.randn(32, 64)), nn.Linear(64, 3)
            self.register_buffer("near", (torch.rand(64, 64) < 0.1).float() + torch.eye(64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scale = self.near.sum(1).rsqrt()
            mixed = scale[:, None] * (self.near @ (scale[:, None] * (x @ self.weight)))
            return self.out(torch.relu(mixed))

    class Normalized(Averaged):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            mixed = x @ self.weight
            return self.out(torch.relu(mixed * mixed.square().mean(-1, keepdim=True).rsqrt()))

    assert "INI407" in observe(Averaged, INPUT).codes
    assert "INI407" not in observe(Normalized, INPUT).codes


def test_scores_that_start_small_lose_no_signal(observe: Observe) -> None:
    class Mixing(nn.Module):
        """Layers drawn small, the last of which only shares out what another one keeps."""

        def __init__(self, *, scores: bool) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(32, 64), nn.Linear(64, 8)
            self.value, self.out, self.scores = nn.Linear(32, 8), nn.Linear(8, 3), scores
            for layer in (self.one, self.two):
                nn.init.normal_(layer.weight, std=1e-4)
                nn.init.zeros_(layer.bias)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            small = self.two(torch.relu(self.one(x)) * torch.sigmoid(x.mean(-1, keepdim=True)))
            return self.out(small.softmax(-1) * self.value(x) if self.scores else torch.tanh(small))

    assert "INI701" not in observe(lambda: Mixing(scores=True), INPUT).codes
    assert "INI701" in observe(lambda: Mixing(scores=False), INPUT).codes
