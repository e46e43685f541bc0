"""Convolutional networks with normalization or residual connections, and transformers for images."""

import torch
import torch.nn.functional as F
from torch import nn

from zoo.blocks import ACTIVATIONS, initialize


def conv(before, after, size=3, stride=1, groups=1, norm="batch", act="relu"):
    """Convolution, normalization, activation."""
    norms = {"batch": nn.BatchNorm2d, "group": lambda n: nn.GroupNorm(4, n), "instance": nn.InstanceNorm2d, None: None}
    layers = [nn.Conv2d(before, after, size, stride, size // 2, groups=groups, bias=norm is None)]
    layers += [norms[norm](after)] if norm else []
    return nn.Sequential(*layers, *([ACTIVATIONS[act]()] if act else []))


class Block(nn.Module):
    def __init__(self, width, norm="batch", bottleneck=False, squeeze=False, skipinit=False):
        super().__init__()
        inner = width // 4 if bottleneck else width
        parts = (
            [conv(width, inner, 1 if bottleneck else 3, norm=norm), conv(inner, inner, norm=norm)]
            if bottleneck
            else [conv(width, inner, norm=norm)]
        )
        self.body = nn.Sequential(*parts, conv(inner, width, 1 if bottleneck else 3, norm=norm, act=None))
        self.gate = (
            nn.Sequential(nn.Linear(width, 8), nn.ReLU(), nn.Linear(8, width), nn.Sigmoid()) if squeeze else None
        )
        self.alpha = nn.Parameter(torch.zeros(())) if skipinit else None

    def forward(self, x):
        change = self.body(x)
        if self.gate is not None:
            change = change * self.gate(change.mean((2, 3)))[:, :, None, None]
        if self.alpha is not None:
            change = self.alpha * change
        return F.relu(x + change)


class ResNet(nn.Module):
    def __init__(self, blocks=6, width=32, norm="batch", weight="he_fan_out", zero_gamma=False, **kwargs):
        super().__init__()
        self.stem = conv(3, width, norm=norm)
        self.blocks = nn.Sequential(*(Block(width, norm, **kwargs) for _ in range(blocks)))
        self.head = nn.Linear(width, 10)
        initialize(self, weight)
        for block in self.blocks if zero_gamma else ():
            nn.init.zeros_(block.body[-1][1].weight)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class DenseNet(nn.Module):
    def __init__(self, depth=6, growth=12):
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 3, padding=1)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(n), nn.ReLU(), nn.Conv2d(n, growth, 3, padding=1, bias=False))
            for n in range(24, 24 + depth * growth, growth)
        )
        self.norm = nn.BatchNorm2d(24 + depth * growth)
        self.head = nn.Linear(24 + depth * growth, 10)
        initialize(self.layers, "he")

    def forward(self, x):
        x = self.stem(x)
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return self.head(F.relu(self.norm(x)).mean((2, 3)))


class UNet(nn.Module):
    def __init__(self, norm="batch", weight="default", bias=None, width=16):
        super().__init__()
        self.down = nn.ModuleList([conv(3, width, norm=norm), conv(width, width * 2, norm=norm)])
        self.middle = conv(width * 2, width * 4, norm=norm)
        self.up = nn.ModuleList(
            [nn.ConvTranspose2d(width * 4, width * 2, 2, 2), nn.ConvTranspose2d(width * 2, width, 2, 2)]
        )
        self.merge = nn.ModuleList([conv(width * 4, width * 2, norm=norm), conv(width * 2, width, norm=norm)])
        self.head = nn.Conv2d(width, 2, 1)
        initialize(self, weight, bias)

    def forward(self, x):
        skips = []
        for layer in self.down:
            skips.append(layer(x))
            x = F.max_pool2d(skips[-1], 2)
        x = self.middle(x)
        for up, merge in zip(self.up, self.merge):
            x = merge(torch.cat([up(x), skips.pop()], 1))
        return self.head(x)


class MobileNet(nn.Module):
    def __init__(self, depth=5, width=24):
        super().__init__()
        layers = [conv(3, width)]
        for _ in range(depth):
            layers += [conv(width, width, groups=width), conv(width, width, 1)]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3)))


class ConvNeXt(nn.Module):
    def __init__(self, depth=4, width=32, scale=1e-6):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 4, 4)
        self.spatial = nn.ModuleList(nn.Conv2d(width, width, 7, padding=3, groups=width) for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.wide = nn.ModuleList(nn.Linear(width, width * 4) for _ in range(depth))
        self.narrow = nn.ModuleList(nn.Linear(width * 4, width) for _ in range(depth))
        self.scales = nn.ParameterList(nn.Parameter(torch.full((width,), scale)) for _ in range(depth))
        self.head = nn.Linear(width, 10)
        initialize(self, "truncated", 0.0)

    def forward(self, x):
        x = self.stem(x)
        for spatial, norm, wide, narrow, scale in zip(self.spatial, self.norms, self.wide, self.narrow, self.scales):
            y = scale * narrow(F.gelu(wide(norm(spatial(x).permute(0, 2, 3, 1)))))
            x = x + y.permute(0, 3, 1, 2)
        return self.head(x.mean((2, 3)))


class Inception(nn.Module):
    def __init__(self, width=16, norm="batch"):
        super().__init__()
        self.stem = conv(3, width, norm=norm)
        self.branches = nn.ModuleList(conv(width, width, size, norm=norm) for size in (1, 3, 5))
        self.head = nn.Linear(width * 3, 10)

    def forward(self, x):
        x = self.stem(x)
        return self.head(torch.cat([branch(x) for branch in self.branches], 1).mean((2, 3)))


class ViT(nn.Module):
    def __init__(self, depth=4, width=32, patch=8, weight="truncated"):
        super().__init__()
        self.patch = nn.Conv2d(3, width, patch, patch)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, (32 // patch) ** 2 + 1, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, 4, width * 4, 0.1, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.encoder.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, width * 4, 0.1, "gelu", batch_first=True, norm_first=True)
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)
        initialize(self, weight, 0.0)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.position
        return self.head(self.norm(self.encoder(x))[:, 0])


class Mixer(nn.Module):
    def __init__(self, depth=4, width=32, patch=8, weight="default"):
        super().__init__()
        tokens = (32 // patch) ** 2
        self.patch = nn.Conv2d(3, width, patch, patch)
        self.tokens = nn.ModuleList(
            nn.Sequential(nn.Linear(tokens, 64), nn.GELU(), nn.Linear(64, tokens)) for _ in range(depth)
        )
        self.channels = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width)) for _ in range(depth)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * depth))
        self.head = nn.Linear(width, 10)
        initialize(self, weight)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        for i, (tokens, channels) in enumerate(zip(self.tokens, self.channels)):
            x = x + tokens(self.norms[2 * i](x).transpose(1, 2)).transpose(1, 2)
            x = x + channels(self.norms[2 * i + 1](x))
        return self.head(x.mean(1))


class PointNet(nn.Module):
    def __init__(self, norm=True):
        super().__init__()
        layers = []
        for before, after in ((3, 32), (32, 64), (64, 128)):
            layers += [nn.Conv1d(before, after, 1), nn.BatchNorm1d(after) if norm else nn.Identity(), nn.ReLU()]
        self.points = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x):
        return self.head(self.points(x.transpose(1, 2)).amax(-1))
