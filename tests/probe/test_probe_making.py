"""Weights that a forward computes are followed to the parameters that make them, however they are computed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.nn import init
from torch.nn.utils import spectral_norm as old_spectral_norm
from torch.nn.utils import weight_norm as old_weight_norm
from torch.nn.utils.parametrizations import orthogonal, spectral_norm, weight_norm

Observe = Callable[..., Any]
WIDTH, DEPTH = 32, 8


def scaled(tensor: torch.Tensor, gain: float) -> nn.Parameter:
    return nn.Parameter(tensor * gain)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape) / math.sqrt(WIDTH)


class Masked(nn.Module):
    def __init__(self, gain: float) -> None:
        super().__init__()
        self.weight = scaled(normal(WIDTH, WIDTH), gain)
        self.register_buffer("mask", (torch.rand(WIDTH, WIDTH) < 0.5).float())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weight * self.mask * math.sqrt(2))


class Equalized(nn.Module):
    def __init__(self, gain: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(WIDTH, WIDTH))
        self.scale = scaled(torch.full((1,), WIDTH**-0.5), gain)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ (self.weight * self.scale)


class Standardized(nn.Conv1d):
    def __init__(self, gain: float) -> None:
        super().__init__(WIDTH, WIDTH, 3, padding=1)
        init.zeros_(self.bias)
        self.gain = nn.Parameter(torch.full((WIDTH, 1, 1), gain))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        variance, mean = torch.var_mean(self.weight, dim=(1, 2), keepdim=True)
        weight = (self.weight - mean) * torch.rsqrt(variance * self.weight[0].numel()) * self.gain
        return F.conv1d(x[..., None], weight, self.bias, padding=1)[..., 0] * math.sqrt(3)


class LowRank(nn.Module):
    def __init__(self, gain: float) -> None:
        super().__init__()
        self.up, self.down = scaled(normal(WIDTH, 8), gain), scaled(normal(8, WIDTH) * 2, 1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.up @ self.down * math.sqrt(2))


class Flat(nn.Module):
    def __init__(self, gain: float) -> None:
        super().__init__()
        self.flat = scaled(normal(2 * WIDTH * WIDTH), gain)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = self.flat.chunk(2)
        return x @ first.view(WIDTH, WIDTH) + x.flip(-1) @ second.view(WIDTH, WIDTH)


class Gathered(nn.Module):
    def __init__(self, gain: float) -> None:
        super().__init__()
        self.values = scaled(normal(64), gain)
        self.register_buffer("index", torch.randint(0, 64, (WIDTH, WIDTH)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.values[self.index])


class Generated(nn.Module):
    def __init__(self, gain: float) -> None:
        super().__init__()
        self.code = nn.Parameter(torch.randn(1, 8))
        self.inner, self.outer = nn.Linear(8, 16), nn.Linear(16, WIDTH * WIDTH, bias=False)
        size = float(F.relu(self.inner(self.code)).norm().detach())
        init.normal_(self.outer.weight, std=gain / math.sqrt(WIDTH) / size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.outer(F.relu(self.inner(self.code))).view(WIDTH, WIDTH))


def normed(gain: float) -> nn.Module:
    layer = weight_norm(nn.Linear(WIDTH, WIDTH, bias=False))
    init.constant_(layer.parametrizations.weight.original0, gain)
    return layer


def normed_before(gain: float) -> nn.Module:
    layer = nn.Linear(WIDTH, WIDTH, bias=False)
    init.normal_(layer.weight, std=gain / math.sqrt(WIDTH))
    return old_weight_norm(layer)


LAYERS: list[tuple[Callable[[float], nn.Module], str]] = [
    (normed, "parametrizations.weight.original0"),
    (normed_before, "weight_g"),
    (Masked, "weight"),
    (Equalized, "weight"),
    (Standardized, "gain"),
    (LowRank, "up"),
    (Flat, "flat"),
    (Gathered, "values"),
    (Generated, "outer.weight"),
]


class Deep(nn.Module):
    """Layers of a kind, a ReLU after each, and a linear head."""

    def __init__(self, kind: Callable[[float], nn.Module], gain: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(kind(gain) for _ in range(DEPTH))
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = F.relu(layer(x))
        return self.head(x)


@pytest.mark.parametrize(("kind", "name"), LAYERS)
def test_what_fades_is_reported_at_the_parameter_that_sets_the_scale(
    observe: Observe, kind: Callable[[float], nn.Module], name: str
) -> None:
    seen = observe(Deep, (64, WIDTH), kind=kind, gain=0.02)
    found = [finding for finding in seen.findings if finding.code == "INI701"]
    assert found and found[0].parameter is not None and found[0].parameter.endswith(name)


@pytest.mark.parametrize(("kind", "name"), LAYERS)
def test_what_grows_is_reported_at_the_parameter_that_sets_the_scale(
    observe: Observe, kind: Callable[[float], nn.Module], name: str
) -> None:
    seen = observe(Deep, (64, WIDTH), kind=kind, gain=30.0)
    found = [finding for finding in seen.findings if finding.code == "INI702"]
    assert found and found[0].parameter is not None and found[0].parameter.endswith(name)


@pytest.mark.parametrize(("kind", "name"), LAYERS)
def test_what_keeps_its_scale_is_measured_and_not_accused(
    observe: Observe, kind: Callable[[float], nn.Module], name: str
) -> None:
    seen = observe(Deep, (64, WIDTH), kind=kind, gain=math.sqrt(2))
    assert not {"INI701", "INI702", "INI703", "INI704"} & set(seen.codes)
    layers = [layer for layer in seen.observation.signal.layers if layer.source.endswith(name)]
    assert len(layers) >= DEPTH and all(layer.gradient for layer in layers)


def test_the_advice_for_a_gain_is_a_constant_that_keeps_the_scale(observe: Observe) -> None:
    (finding,) = [one for one in observe(Deep, (64, WIDTH), kind=normed, gain=0.02).findings if one.code == "INI701"]
    assert "original0, 1.41)" in finding.message


@pytest.mark.parametrize(("kind", "name"), LAYERS)
def test_no_advice_makes_a_matrix_constant_or_a_vector_orthogonal(
    observe: Observe, kind: Callable[[float], nn.Module], name: str
) -> None:
    (found,) = observe(lambda: Deep(kind, 0.05), (64, WIDTH)).findings
    net = kind(1.0)
    for advice in found.advice:
        parameter = dict(net.named_parameters()).get(advice.parameter)
        vector = parameter is None or sum(size > 1 for size in parameter.shape) < 2
        assert advice.initializer != ("orthogonal_" if vector else "constant_") or advice.parameter == "bias"


class Repeating(nn.Module):
    """A state that goes through the same made weight again and again."""

    def __init__(self, make: str) -> None:
        super().__init__()
        self.vector = nn.Parameter(torch.randn(WIDTH * WIDTH)) if make == "vector" else None
        self.maker = nn.Linear(8, WIDTH * WIDTH, bias=False) if make == "maker" else None
        if self.maker is not None:
            nn.init.normal_(self.maker.weight)
        self.code = nn.Parameter(torch.randn(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = self.maker(self.code) if self.maker is not None else self.vector
        for _ in range(6):
            x = torch.relu(x @ flat.view(WIDTH, WIDTH))
        return x


@pytest.mark.parametrize("make", ["vector", "maker"])
def test_what_makes_a_repeated_weight_is_drawn_and_not_orthogonal(observe: Observe, make: str) -> None:
    (found,) = observe(lambda: Repeating(make), (64, WIDTH)).findings
    (advice,) = found.advice
    assert (found.code, advice.initializer) == ("INI702", "normal_")


@pytest.mark.parametrize("norm", [spectral_norm, old_spectral_norm, orthogonal])
def test_where_no_parameter_sets_the_scale_nobody_is_accused_and_it_is_said(
    observe: Observe, norm: Callable[[nn.Module], nn.Module]
) -> None:
    seen = observe(Deep, (64, WIDTH), kind=lambda gain: norm(nn.Linear(WIDTH, WIDTH, bias=False)), gain=1.0)
    assert not {"INI701", "INI702"} & set(seen.codes)
    assert any("does not depend on any initializer" in reason for reason in seen.reasons)


class Through(nn.Module):
    """A matrix that meets its input in an operator that is not followed."""

    def __init__(self, forward: Callable[[Any, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.matrix = nn.Parameter(normal(WIDTH, WIDTH))
        self.run = forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.run(self, x)


@pytest.mark.parametrize(
    ("forward", "name"),
    [
        (lambda net, x: (x[:, :, None] * net.matrix).sum(1), "matrix"),
        (lambda net, x: (x[:, :, None] * net.matrix.exp()).sum(1), "matrix"),
    ],
)
def test_what_is_not_followed_is_said(
    observe: Observe, forward: Callable[[Any, torch.Tensor], torch.Tensor], name: str
) -> None:
    seen = observe(Through, (64, WIDTH), forward=forward)
    assert any("not tracked" in reason and name in reason for reason in seen.reasons)


@pytest.mark.parametrize(
    "forward",
    [
        lambda net, x: x @ net.matrix,
        lambda net, x: x @ (net.matrix + 0.1 * net.matrix.t()),
        lambda net, x: x + F.embedding(torch.arange(WIDTH), net.matrix).mean(0),
    ],
)
def test_what_is_followed_or_looked_up_is_not_said_to_be_left_out(
    observe: Observe, forward: Callable[[Any, torch.Tensor], torch.Tensor]
) -> None:
    assert not any("not tracked" in reason for reason in observe(Through, (64, WIDTH), forward=forward).reasons)


def test_a_model_of_flat_weights_alone_has_gradients(observe: Observe) -> None:
    profile = observe(lambda: nn.Sequential(Flat(1.0), nn.ReLU(), Flat(1.0)), (64, WIDTH)).observation.signal
    assert len(profile.layers) == 4 and all(layer.gradient for layer in profile.layers)
    assert "gradient" not in profile.skipped


def test_queries_that_are_learned_are_no_weights(observe: Observe) -> None:
    class Pooling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.latents = nn.Parameter(torch.randn(4, WIDTH))
            self.query, self.key = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            queries = self.query(self.latents).expand(len(x), -1, -1)
            return (queries @ self.key(x).transpose(1, 2)).softmax(-1) @ x

    layers = observe(Pooling, (64, 6, WIDTH)).observation.signal.layers
    assert [layer.path for layer in layers] == ["query.weight", "key.weight"]


def test_parts_of_one_parameter_are_layers_of_their_own(observe: Observe) -> None:
    class Stacked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(normal(6, WIDTH, WIDTH) * torch.logspace(0, -5, 6)[:, None, None])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return sum(x @ one for one in self.weight)  # type: ignore[return-value]

    seen = observe(Stacked, (64, WIDTH))
    assert [layer.path for layer in seen.observation.signal.layers] == [f"weight[{index}]" for index in range(6)]
    assert "INI702" not in seen.codes and not any(layer.again for layer in seen.observation.signal.layers)
