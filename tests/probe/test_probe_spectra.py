"""Filters of Fourier coefficients: products like any other, at the scale of what was transformed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

Observe = Callable[..., Any]


class Rows(nn.Module):
    """Circulant matrices, of which the first row is learned."""

    def __init__(self, std: float, size: int = 64) -> None:
        super().__init__()
        self.rows = nn.ParameterList(nn.Parameter(std * torch.randn(size)) for _ in range(6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for row in self.rows:
            x = torch.relu(torch.fft.irfft(torch.fft.rfft(x) * torch.fft.rfft(row), n=x.shape[-1]))
        return x


class Filters(nn.Module):
    """Learned filters of images, as pairs of real numbers, between layers; the transform is orthonormal or not."""

    def __init__(self, std: float, norm: str) -> None:
        super().__init__()
        self.norm = norm
        self.filters = nn.ParameterList(nn.Parameter(std * torch.randn(8, 16, 9, 2)) for _ in range(5))
        self.mix = nn.ModuleList(nn.Conv2d(8, 8, 1) for _ in range(5))
        for layer in self.mix:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for each, layer in zip(self.filters, self.mix, strict=True):
            spectrum = torch.fft.rfft2(x, norm=self.norm) * torch.view_as_complex(each)
            x = torch.relu(layer(torch.fft.irfft2(spectrum, s=x.shape[-2:], norm=self.norm)))
        return x


class Memory(nn.Module):
    """Long convolutions with decaying kernels beside linear layers, as state space models are computed."""

    def __init__(self) -> None:
        super().__init__()
        self.decay = nn.ParameterList(nn.Parameter(torch.rand(16, 1).log()) for _ in range(4))
        self.gain = nn.ParameterList(nn.Parameter(torch.randn(16, 1)) for _ in range(4))
        self.mix = nn.ModuleList(nn.Linear(16, 16) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        time = torch.arange(x.shape[1])
        for decay, gain, layer in zip(self.decay, self.gain, self.mix, strict=True):
            kernel = gain * (-decay.exp() * time).exp()
            spectrum = torch.fft.rfft(x.transpose(1, 2), n=2 * len(time)) * torch.fft.rfft(kernel, n=2 * len(time))
            x = x + layer(torch.nn.functional.gelu(torch.fft.irfft(spectrum)[..., : len(time)].transpose(1, 2)))
        return x


SOUND = [
    (lambda: Rows(math.sqrt(2 / 64)), (32, 64)),
    (lambda: Filters(0.7, "ortho"), (32, 8, 16, 16)),
    (lambda: Filters(0.7, "backward"), (32, 8, 16, 16)),
    (Memory, (32, 200, 16)),
]
LOUD = [
    (lambda: Rows(1.0), (32, 64), "rows.0"),
    (lambda: Filters(20.0, "ortho"), (32, 8, 16, 16), "filters.0"),
    (lambda: Filters(20.0, "backward"), (32, 8, 16, 16), "filters.0"),
]


@pytest.mark.parametrize(("make", "size"), SOUND)
def test_sound_filters_are_left_alone(observe: Observe, make: Any, size: tuple[int, ...]) -> None:
    assert observe(make, size).codes == []


@pytest.mark.parametrize(("make", "size", "name"), LOUD)
def test_filters_that_are_too_large_are_named(observe: Observe, make: Any, size: tuple[int, ...], name: str) -> None:
    (found,) = observe(make, size).findings
    assert (found.code, found.parameter) == ("INI702", name)


def test_the_scale_of_coefficients_is_that_of_what_was_transformed(observe: Observe) -> None:
    plain, ortho = (
        observe(lambda norm=norm: Filters(0.7, norm), (32, 8, 16, 16)).observation.signal.layers[0]
        for norm in ("backward", "ortho")
    )
    assert plain.given[0] == pytest.approx(1.0, rel=0.1) == ortho.given[0]
