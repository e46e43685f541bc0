"""Parameters that multiply or shift a signal elementwise are measured, or listed as not judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import initaudit

Observe = Callable[..., Any]
WIDTH, DEPTH = 32, 6


class Scale(nn.Module):
    def __init__(self, value: float, *shape: int, divides: bool = False) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.full(shape, value))
        self.divides = divides

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / self.factors if self.divides else x * self.factors


def linear() -> nn.Module:
    layer = nn.Linear(WIDTH, WIDTH)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer


def convolution() -> nn.Module:
    layer = nn.Conv2d(WIDTH, WIDTH, 1, bias=False)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return layer


def behind(factor: float) -> nn.Module:
    """A gain behind each activation."""
    parts = [nn.Sequential(linear(), nn.ReLU(), Scale(factor, WIDTH)) for _ in range(DEPTH)]
    return nn.Sequential(*parts, nn.Linear(WIDTH, 5))


def before(factor: float) -> nn.Module:
    """A gain between a convolution and its activation."""
    parts = [nn.Sequential(convolution(), Scale(factor, WIDTH, 1, 1), nn.ReLU()) for _ in range(DEPTH)]
    return nn.Sequential(nn.Unflatten(1, (WIDTH, 1, 1)), *parts, nn.Flatten(), nn.Linear(WIDTH, 5))


def divided(factor: float) -> nn.Module:
    """Numbers that divide each output."""
    parts = [nn.Sequential(linear(), Scale(1 / factor, 1, WIDTH, divides=True), nn.ReLU()) for _ in range(DEPTH)]
    return nn.Sequential(*parts, nn.Linear(WIDTH, 5))


SCALED = [behind, before, divided]


@pytest.mark.parametrize("make", SCALED)
@pytest.mark.parametrize(("factor", "code"), [(0.01, "INI701"), (100.0, "INI702")])
def test_a_gain_that_changes_the_scale_is_named_and_not_the_weights_around_it(
    observe: Observe, make: Callable[[float], nn.Module], factor: float, code: str
) -> None:
    (found,) = observe(lambda: make(factor), (64, WIDTH)).reported
    assert found.code == code
    assert found.parameter is not None and found.parameter.endswith("factors")
    assert {advice.initializer for advice in found.advice} == {"ones_"}


def test_the_loss_that_follows_from_a_rise_is_reported_where_the_rise_is_not() -> None:
    def codes(std: float, *ignored: str) -> list[str]:
        def make() -> nn.Module:
            net = nn.Sequential(behind(100.0), nn.LogSoftmax(-1))
            nn.init.normal_(net[0][-1].weight, std=std)
            return net

        audited = initaudit.audit(make, torch.randn(64, WIDTH), ignore=ignored, isolated=True)
        return sorted(finding.code for finding in audited.findings)

    assert codes(0.1) == ["INI702"]
    assert codes(0.1, "INI702") == ["INI705"]
    assert codes(9.0) == ["INI702", "INI705"]  # the head amplifies it further


@pytest.mark.parametrize("make", SCALED)
@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1])
def test_gains_that_keep_the_scale_are_silent_and_judged(
    observe: Observe, make: Callable[[float], nn.Module], factor: float
) -> None:
    seen = observe(lambda: make(factor), (64, WIDTH))
    assert seen.codes == [] and not any("not tracked" in reason for reason in seen.reasons)


def test_a_weight_that_shrinks_the_signal_is_named_where_gains_hardly_do(observe: Observe) -> None:
    net = behind(0.9)
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.002)
    (found,) = observe(lambda: net, (64, WIDTH)).findings
    assert found.code == "INI701" and found.parameter is not None and found.parameter.endswith("weight")


class LayerScaled(nn.Module):
    """A residual network with branches that start small."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(DEPTH))
        self.layers = nn.ModuleList(linear() for _ in range(DEPTH))
        self.gammas = nn.ParameterList(nn.Parameter(torch.full((WIDTH,), 1e-4)) for _ in range(DEPTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for norm, layer, gamma in zip(self.norms, self.layers, self.gammas, strict=True):
            x = x + gamma * torch.relu(layer(norm(x)))
        return x


class Normed(nn.Module):
    """A norm written by hand, first of all, and a gate that normalizes."""

    def __init__(self) -> None:
        super().__init__()
        self.gain, self.shift = nn.Parameter(torch.ones(WIDTH)), nn.Parameter(torch.zeros(WIDTH))
        self.out = nn.Linear(WIDTH, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        centered = x - x.mean(-1, keepdim=True)
        return self.out(centered / (centered.std(-1, keepdim=True) + 1e-6) * self.gain + self.shift)


class Rooted(nn.Module):
    """A root mean square norm in half the places where others stand."""

    def __init__(self) -> None:
        super().__init__()
        self.gain, self.out = nn.Parameter(torch.ones(WIDTH)), nn.Linear(WIDTH, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normal = x.double() * torch.rsqrt(x.double().square().mean(-1, keepdim=True) + 1e-6)
        return self.out(self.gain * normal.to(x.dtype))


class GainFirst(nn.Module):
    """A norm that multiplies by its gain before it divides."""

    def __init__(self) -> None:
        super().__init__()
        self.gain, self.out = nn.Parameter(torch.ones(WIDTH)), nn.Linear(WIDTH, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        centered = x - x.mean(-1, keepdim=True)
        return self.out(self.gain * centered / (x.std(-1, keepdim=True) + 1e-6))


class GainWithRoot(nn.Module):
    """A root mean square norm that multiplies by its gain before the root."""

    def __init__(self) -> None:
        super().__init__()
        self.gain, self.out = nn.Parameter(torch.ones(WIDTH)), nn.Linear(WIDTH, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.gain * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6))


@pytest.mark.parametrize("make", [LayerScaled, Normed, Rooted, GainFirst, GainWithRoot])
def test_small_branches_and_the_gains_of_norms_are_no_findings_and_not_listed(
    observe: Observe, make: Callable[[], nn.Module]
) -> None:
    seen = observe(make, (64, WIDTH))
    assert seen.codes == [] and not any("not tracked" in reason for reason in seen.reasons)


class Weighing(nn.Module):
    """Weights that multiply the input elementwise before any layer."""

    def __init__(self, run: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.importance, self.out = nn.Parameter(torch.rand(WIDTH)), nn.Linear(WIDTH, 5)
        self.run = run

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.run(x, self.importance))


@pytest.mark.parametrize(
    "run",
    [
        lambda x, weights: x * weights,
        lambda x, weights: weights[None].sigmoid() * x,
        lambda x, weights: torch.relu(x / weights),
    ],
)
def test_vectors_that_multiply_the_input_are_listed_as_not_judged(
    observe: Observe, run: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
) -> None:
    reasons = observe(lambda: Weighing(run), (64, WIDTH)).reasons
    assert any("importance are used by" in reason or "importance is used by" in reason for reason in reasons)


class Alone(nn.Module):
    """A model without any matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.rand(WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weights


def test_a_model_of_vectors_alone_is_not_said_to_have_no_trainable_weight(observe: Observe) -> None:
    reasons = observe(Alone, (64, WIDTH)).reasons
    assert any("weights" in reason and "not tracked" in reason for reason in reasons)
    assert any("weight with two or more dimensions" in reason for reason in reasons)


class Apart(nn.Module):
    """A product and its bias, in two operators."""

    def __init__(self, bias: float) -> None:
        super().__init__()
        self.matrix, self.offset = nn.Parameter(torch.randn(WIDTH, 64) / 4), nn.Parameter(torch.full((64,), bias))
        self.out = nn.Linear(64, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(torch.relu(x @ self.matrix + self.offset))


class Shift(nn.Module):
    def __init__(self, bias: float, *shape: int) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.full(shape, bias))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.offset


def another_module(bias: float) -> nn.Module:
    """A bias for each channel, that another class adds."""
    return nn.Sequential(
        nn.Unflatten(1, (WIDTH, 1, 1)),
        convolution(),
        Shift(bias, WIDTH, 1, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32, 5),
    )


class Ensemble(nn.Module):
    """A layer that members share, and a bias for each member."""

    def __init__(self, bias: float) -> None:
        super().__init__()
        self.first, self.second = linear(), nn.Linear(WIDTH, WIDTH, bias=False)
        self.scales, self.offset = nn.Parameter(torch.ones(8, WIDTH)), nn.Parameter(torch.full((8, WIDTH), bias))
        self.out = nn.Linear(WIDTH, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        members = torch.relu(self.first(x))[:, None].expand(-1, 8, -1)
        hidden = functional.linear(members, self.second.weight) * self.scales + self.offset
        return self.out(torch.relu(hidden).mean(1))


APART = [Apart, another_module, Ensemble]


@pytest.mark.parametrize("make", APART)
def test_units_that_a_separate_bias_kills_are_blamed_on_it(
    observe: Observe, make: Callable[[float], nn.Module]
) -> None:
    (found,) = observe(lambda: make(-10.0), (64, WIDTH)).findings
    assert found.code == "INI704" and "offset" in found.message


@pytest.mark.parametrize("make", APART)
@pytest.mark.parametrize("bias", [0.0, 0.1, -0.1])
def test_a_small_separate_bias_is_silent(observe: Observe, make: Callable[[float], nn.Module], bias: float) -> None:
    assert observe(lambda: make(bias), (64, WIDTH)).codes == []
