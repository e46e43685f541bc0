"""Autoencoders, adversaries, flows, energy and diffusion models, coordinate networks."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from zoo.blocks import ACTIVATIONS, initialize, scheme


class Autoencoder(nn.Module):
    def __init__(self, widths=(64, 48, 32, 16), act="relu", weight="he", bias=0.0, variational=False):
        super().__init__()
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        for before, after in zip(widths, widths[1:]):
            self.encoder.append(nn.Linear(before, after))
            self.decoder.insert(0, nn.Linear(after, before))
        self.spread = nn.Linear(widths[-2], widths[-1]) if variational else None
        self.act = ACTIVATIONS[act]()
        initialize(self, weight, bias)

    def forward(self, x):
        for layer in self.encoder[:-1]:
            x = self.act(layer(x))
        code = self.encoder[-1](x)
        if self.spread is not None:
            code = code + torch.randn_like(code) * (0.5 * self.spread(x)).exp()
        for layer in self.decoder[:-1]:
            code = self.act(layer(code))
        return self.decoder[-1](code)


class Generator(nn.Module):
    """DCGAN's generator."""

    def __init__(self, width=16, std=0.02, gain=1.0, norm=True):
        super().__init__()
        layers, before = [], 64
        for after in (width * 4, width * 2, width):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)]
            layers += [nn.BatchNorm2d(after), nn.ReLU()] if norm else [nn.ReLU()]
            before = after
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(width, 3, 4, 2, 1), nn.Tanh())
        initialize(self, f"normal {std}")
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, gain, 0.02)

    def forward(self, z):
        return self.layers(z[:, :, None, None].expand(-1, -1, 2, 2))


class Critic(nn.Module):
    """DCGAN's discriminator, or WGAN-GP's with layer normalization."""

    def __init__(self, width=16, weight="normal 0.02", norm="batch"):
        super().__init__()
        layers, before = [], 3
        for after in (width, width * 2, width * 4):
            layers.append(nn.Conv2d(before, after, 4, 2, 1))
            if norm and before != 3:
                layers.append(nn.BatchNorm2d(after) if norm == "batch" else nn.GroupNorm(1, after))
            layers.append(nn.LeakyReLU(0.2))
            before = after
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, 1, 4))
        initialize(self, weight)

    def forward(self, x):
        return self.layers(x)


class Coupling(nn.Module):
    """RealNVP: affine couplings whose last layer is zero."""

    def __init__(self, depth=6, width=16, last="constant 0.0", orthogonal=False):
        super().__init__()
        self.nets = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2 * width))
            for _ in range(depth)
        )
        for net in self.nets:
            scheme(last)(net[-1].weight)
            nn.init.zeros_(net[-1].bias)
        self.mixing = nn.ParameterList(
            nn.Parameter(nn.init.orthogonal_(torch.empty(2 * width, 2 * width)))
            for _ in range(depth if orthogonal else 0)
        )

    def forward(self, x):
        logdet = 0.0
        for i, net in enumerate(self.nets):
            if len(self.mixing):
                x = x @ self.mixing[i]
            a, b = x.chunk(2, -1)
            shift, scale = net(a).chunk(2, -1)
            scale = torch.tanh(scale)
            x = torch.cat([b * scale.exp() + shift, a], -1)
            logdet = logdet + scale.sum(-1)
        return x, logdet


class Boltzmann(nn.Module):
    """A restricted Boltzmann machine: N(0, 0.01), as Hinton advises; one mean-field step up and down."""

    def __init__(self, visible=64, hidden=32, std=0.01):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(hidden, visible) * std)
        self.a, self.b = nn.Parameter(torch.zeros(visible)), nn.Parameter(torch.zeros(hidden))

    def forward(self, v):
        h = torch.sigmoid(F.linear(v, self.weight, self.b))
        return torch.sigmoid(F.linear(h, self.weight.t(), self.a))


class Denoiser(nn.Module):
    """A small diffusion network: time enters every block, and the last convolution of each is zero."""

    def __init__(self, width=32, depth=3):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.time = nn.Sequential(nn.Linear(16, width), nn.SiLU(), nn.Linear(width, width))
        self.one = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth))
        self.two = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth))
        self.norms = nn.ModuleList(nn.GroupNorm(8, width) for _ in range(2 * depth))
        self.head = nn.Conv2d(width, 3, 3, padding=1)
        for zero in (*self.two, self.head):
            nn.init.zeros_(zero.weight)
            nn.init.zeros_(zero.bias)

    def forward(self, x):
        t = torch.linspace(0, 1, len(x))[:, None] * torch.exp(torch.arange(8.0))
        t = self.time(torch.cat([t.sin(), t.cos()], -1))[:, :, None, None]
        x = self.stem(x)
        for i, (one, two) in enumerate(zip(self.one, self.two)):
            y = one(F.silu(self.norms[2 * i](x))) + t
            x = x + two(F.silu(self.norms[2 * i + 1](y)))
        return self.head(x)


class Siren(nn.Module):
    def __init__(self, depth=4, width=64, omega=30.0):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(2 if i == 0 else width, width) for i in range(depth))
        for i, layer in enumerate(self.layers):
            bound = 1 / layer.in_features if i == 0 else math.sqrt(6 / layer.in_features) / omega
            nn.init.uniform_(layer.weight, -bound, bound)
        self.head, self.omega = nn.Linear(width, 3), omega

    def forward(self, x):
        for layer in self.layers:
            x = torch.sin(self.omega * layer(x))
        return self.head(x)


class Radiance(nn.Module):
    """NeRF: eight layers at torch's default, and the input once more in the middle."""

    def __init__(self, width=64, weight="default", bias=None, skip=True):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Linear(36 if i == 0 else width + 36 if i == 4 and skip else width, width) for i in range(8)
        )
        self.head, self.skip = nn.Linear(width, 4), skip
        initialize(self, weight, bias)

    def forward(self, x):
        scaled = x[..., None] * 2.0 ** torch.arange(6)
        encoded = torch.cat([scaled.sin(), scaled.cos()], -1).flatten(-2)
        x = encoded
        for i, layer in enumerate(self.layers):
            x = F.relu(layer(torch.cat([x, encoded], -1) if i == 4 and self.skip else x))
        return self.head(x)


class Equalized(nn.Module):
    """StyleGAN's mapping: N(0, 1) in memory, He's gain at run time."""

    def __init__(self, depth=8, width=64):
        super().__init__()
        self.weights = nn.ParameterList(nn.Parameter(torch.randn(width, width)) for _ in range(depth))
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(width)) for _ in range(depth))

    def forward(self, z):
        z = z * torch.rsqrt(z.square().mean(-1, keepdim=True) + 1e-8)
        for weight, bias in zip(self.weights, self.biases):
            z = F.leaky_relu(F.linear(z, weight * math.sqrt(2 / weight.shape[1]), bias), 0.2)
        return z


class Masked(nn.Module):
    """MADE: an autoregressive perceptron with masked weights."""

    def __init__(self, inputs=16, width=64):
        super().__init__()
        self.one, self.two = nn.Linear(inputs, width), nn.Linear(width, inputs)
        degrees = torch.arange(width) % (inputs - 1)
        self.register_buffer("first", (degrees[:, None] >= torch.arange(inputs)).float())
        self.register_buffer("second", (torch.arange(inputs)[:, None] > degrees).float())

    def forward(self, x):
        h = F.relu(F.linear(x, self.one.weight * self.first, self.one.bias))
        return F.linear(h, self.two.weight * self.second, self.two.bias)
