"""Networks that remove noise; each is given the noisy data and a time between zero and one."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from zoo.blocks import ACTIVATIONS, initialize


def waves(time, width):
    """Sines and cosines of a time."""
    steps = torch.exp(-math.log(1000.0) * torch.arange(width // 2) / (width // 2))
    angles = 1000 * time.view(-1, 1) * steps
    return torch.cat([angles.sin(), angles.cos()], -1)


class DiT(nn.Module):
    """A transformer over patches whose norms and gates are computed from the time; gates and head start at zero."""

    def __init__(self, depth=3, width=64, heads=4, zero=True):
        super().__init__()
        self.patch = nn.Conv2d(3, width, 4, 4)
        self.place = nn.Parameter(torch.randn(1, 16, width) * 0.02)
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.attention = nn.ModuleList(nn.MultiheadAttention(width, heads, batch_first=True) for _ in range(depth))
        self.mlp = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)) for _ in range(depth)
        )
        self.modulate = nn.ModuleList(nn.Linear(width, 6 * width) for _ in range(depth))
        self.head, self.width = nn.Linear(width, 48), width
        for one in (*self.modulate, self.head) if zero else ():
            nn.init.zeros_(one.weight)
            nn.init.zeros_(one.bias)

    def forward(self, x, time):
        h = self.patch(x).flatten(2).transpose(1, 2) + self.place
        t = F.silu(self.time(waves(time, self.width)))
        for attend, mlp, modulate in zip(self.attention, self.mlp, self.modulate):
            a, b, c, d, e, f = modulate(t)[:, None].chunk(6, -1)
            y = F.layer_norm(h, (self.width,)) * (1 + a) + b
            h = h + c * attend(y, y, y, need_weights=False)[0]
            h = h + f * mlp(F.layer_norm(h, (self.width,)) * (1 + d) + e)
        return F.pixel_shuffle(self.head(F.layer_norm(h, (self.width,))).transpose(1, 2).unflatten(-1, (4, 4)), 4)


class Score(nn.Module):
    """A residual perceptron on vectors, with the time in every block."""

    def __init__(self, depth=4, width=64, act="silu", norm=True):
        super().__init__()
        self.inward, self.time = nn.Linear(16, width), nn.Linear(width, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width) if norm else nn.Identity(), nn.Linear(width, width), ACTIVATIONS[act](),
                nn.Linear(width, width),
            )
            for _ in range(depth)
        )  # fmt: skip
        self.head, self.width = nn.Linear(width, 16), width

    def forward(self, x, time):
        t, x = self.time(waves(time, self.width)), self.inward(x)
        for block in self.blocks:
            x = x + block(x + t)
        return self.head(x)


class Fields(nn.Module):
    """A plain perceptron on a point and a time, as flow matching is first tried on."""

    def __init__(self, depth=3, width=64, act="selu", weight="lecun", bias=0.0):
        super().__init__()
        sizes = [3] + [width] * depth
        layers = [part for a, b in zip(sizes, sizes[1:]) for part in (nn.Linear(a, b), ACTIVATIONS[act]())]
        self.layers = initialize(nn.Sequential(*layers), weight, bias)
        self.head = nn.Linear(width, 2)

    def forward(self, x, time):
        return self.head(self.layers(torch.cat([x, time.view(-1, 1)], -1)))


class Noise(nn.Module):
    """A small U-Net with group norm; the last convolution of every block, and of the net, starts at zero."""

    def __init__(self, width=32, blocks=2, zero=True, preconditioned=False):
        super().__init__()
        self.time = nn.Linear(width, width)
        self.first, self.last = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, 3, 3, padding=1)
        self.down = nn.ModuleList(self.block(width, zero) for _ in range(blocks))
        self.middle = nn.ModuleList(self.block(width, zero) for _ in range(blocks))
        self.up = nn.ModuleList(nn.Conv2d(2 * width, width, 3, padding=1) for _ in range(blocks))
        if zero:
            nn.init.zeros_(self.last.weight)
            nn.init.zeros_(self.last.bias)
        self.width, self.preconditioned = width, preconditioned

    @staticmethod
    def block(width, zero):
        last = nn.Conv2d(width, width, 3, padding=1)
        if zero:
            nn.init.zeros_(last.weight)
        return nn.Sequential(
            nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(8, width), nn.SiLU(),
            last,
        )  # fmt: skip

    def forward(self, image, time):
        noise = (1 + time.abs()).view(-1, 1, 1, 1)
        x = self.first(image / noise.square().add(1).sqrt() if self.preconditioned else image)
        x, kept = x + self.time(waves(time, self.width))[..., None, None], []
        for one in self.down:
            x = x + one(x)
            kept.append(x)
        x = F.avg_pool2d(x, 2)
        for one in self.middle:
            x = x + one(x)
        x = F.interpolate(x, scale_factor=2)
        for one in self.up:
            x = F.silu(one(torch.cat([x, kept.pop()], 1)))
        x = self.last(x)
        return image / (1 + noise.square()) + x * noise / noise.square().add(1).sqrt() if self.preconditioned else x
