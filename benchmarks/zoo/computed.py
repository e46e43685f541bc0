"""Weights that a forward computes from other parameters."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations

from zoo.blocks import ACTIVATIONS, initialize, scheme

WRAPS = {
    "weight": parametrizations.weight_norm,
    "old": nn.utils.weight_norm,
    "spectral": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
}


class Normed(nn.Module):
    """A perceptron under weight norm, spectral norm or an orthogonal parametrization."""

    def __init__(self, by="weight", depth=6, width=64, weight="he", act="relu", gain=1.0, after=None):
        super().__init__()
        plain = [initialize(nn.Linear(width, width), weight, 0.0) for _ in range(depth)]
        self.layers = nn.ModuleList(WRAPS[by](layer) for layer in plain)
        self.act, self.head = ACTIVATIONS[act](), nn.Linear(width, 10)
        with torch.no_grad():
            for layer in self.layers if by == "weight" else ():
                layer.parametrizations.weight.original0.mul_(gain)
        for layer in self.layers if after else ():
            scheme(after)(layer.weight.data)

    def forward(self, x):
        for layer in self.layers:
            x = self.act(layer(x))
        return self.head(x)


class Standardized(nn.Module):
    """Convolutions with scaled weight standardization, without normalization of activations."""

    def __init__(self, depth=6, width=32, gain=1.71):
        super().__init__()
        sizes = [3] + [width] * depth
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(b, a, 3, 3) / math.sqrt(9 * a)) for a, b in zip(sizes, sizes[1:])
        )
        self.gains = nn.ParameterList(nn.Parameter(torch.full((width, 1, 1, 1), gain)) for _ in range(depth))
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        for weight, gain in zip(self.weights, self.gains):
            var, mean = torch.var_mean(weight, dim=(1, 2, 3), keepdim=True)
            scaled = gain * (weight - mean) * torch.rsqrt(var * weight[0].numel() + 1e-6)
            x = F.relu(F.conv2d(x, scaled, padding=1))
        return self.head(x.mean((2, 3)))


class Product(nn.Module):
    """Every weight is the product of two thin matrices; ``scale`` multiplies the scale that keeps the signal."""

    def __init__(self, depth=5, width=64, rank=16, scale=1.0, constant=None):
        super().__init__()
        std = scale * (2 / (width * rank)) ** 0.25
        self.left = nn.ParameterList(nn.Parameter(torch.randn(width, rank) * std) for _ in range(depth))
        self.right = nn.ParameterList(nn.Parameter(torch.randn(rank, width) * std) for _ in range(depth))
        self.head = nn.Linear(width, 10)
        for one in (*self.left, *self.right) if constant is not None else ():
            nn.init.constant_(one, constant)

    def forward(self, x):
        for left, right in zip(self.left, self.right):
            x = F.relu(F.linear(x, left @ right))
        return self.head(x)


class Hyper(nn.Module):
    """A linear layer turns the embedding of a layer into its weight."""

    def __init__(self, depth=4, width=48, code=8, std=None):
        super().__init__()
        self.codes = nn.Parameter(torch.randn(depth, code))
        self.maker, self.head = nn.Linear(code, width * width), nn.Linear(width, 10)
        nn.init.normal_(self.maker.weight, std=std if std is not None else math.sqrt(2 / (width * code)))
        nn.init.zeros_(self.maker.bias)
        self.width = width

    def forward(self, x):
        for code in self.codes:
            x = F.relu(F.linear(x, self.maker(code).view(self.width, self.width)))
        return self.head(x)


class Scaled(nn.Module):
    """Weights of N(0, 1) that the forward multiplies by a scale, as progressive GANs do."""

    def __init__(self, depth=8, width=64, power=0.5):
        super().__init__()
        self.weights = nn.ParameterList(nn.Parameter(torch.randn(width, width)) for _ in range(depth))
        self.scale, self.head = math.sqrt(2) * width**-power, nn.Linear(width, 10)

    def forward(self, x):
        for weight in self.weights:
            x = F.leaky_relu(F.linear(x, weight * self.scale), 0.2)
        return self.head(x)


class Circulant(nn.Module):
    """Circulant matrices, multiplied in the frequency domain."""

    def __init__(self, depth=4, width=64, scale=1.0):
        super().__init__()
        self.rows = nn.ParameterList(
            nn.Parameter(torch.randn(width) * scale * math.sqrt(2 / width)) for _ in range(depth)
        )
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        for row in self.rows:
            x = F.relu(torch.fft.irfft(torch.fft.rfft(x) * torch.fft.rfft(row), n=x.shape[-1]))
        return self.head(x)


class Flat(nn.Module):
    """All weights are views of one flat parameter."""

    def __init__(self, depth=6, width=48, scale=1.0):
        super().__init__()
        self.flat = nn.Parameter(torch.randn(depth * width * width) * scale * math.sqrt(2 / width))
        self.shape, self.head = (depth, width, width), nn.Linear(width, 10)

    def forward(self, x):
        for weight in self.flat.view(self.shape):
            x = F.relu(x @ weight.t())
        return self.head(x)
