"""Multilayer perceptrons and plain convolutional stacks."""

import torch
from torch import nn

from zoo.blocks import ACTIVATIONS, initialize, scheme

NORMS = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "rms": nn.RMSNorm}


class MLP(nn.Module):
    """Hidden layers of given widths, and a linear head."""

    def __init__(
        self, depth=3, width=64, act="relu", weight="default", bias=None, norm=None, widths=None, classes=10,
        dropout=0.0, head=None, final=None, precision="float32",
    ):  # fmt: skip
        super().__init__()
        widths = widths or [64, *[width] * depth]
        layers = []
        for before, after in zip(widths, widths[1:]):
            layers.append(nn.Linear(before, after, dtype=getattr(torch, precision)))
            if norm:
                layers.append(NORMS[norm](after))
            layers.append(ACTIVATIONS[act]())
            if dropout:
                layers.append(nn.Dropout(dropout))
        self.layers = initialize(nn.Sequential(*layers), weight, bias)
        self.head = nn.Linear(widths[-1], classes, dtype=getattr(torch, precision))
        if head:
            scheme(head)(self.head.weight)
        self.final = final

    def forward(self, x):
        x = self.head(self.layers(x))
        return x.log_softmax(-1) if self.final == "log_softmax" else x


class Residual(nn.Module):
    """A residual perceptron: x + f(x), with or without normalization, ReZero's scalar, or a highway's gate."""

    def __init__(self, depth=12, width=64, weight="he", bias=0.0, norm=None, rezero=False, highway=False, fixup=False):
        super().__init__()
        self.one = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.two = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        initialize(self, weight, bias)
        self.norms = nn.ModuleList(NORMS[norm](width) for _ in range(depth)) if norm else None
        self.alphas = nn.Parameter(torch.zeros(depth)) if rezero else None
        self.gates = nn.ModuleList(nn.Linear(width, width) for _ in range(depth)) if highway else None
        for gate in self.gates or ():
            nn.init.constant_(gate.bias, -2.0)
        if fixup:
            for one, two in zip(self.one, self.two):
                one.weight.data.mul_(depth**-0.5)
                nn.init.zeros_(two.weight)
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        for i, (one, two) in enumerate(zip(self.one, self.two)):
            change = two(torch.relu(one(self.norms[i](x) if self.norms else x)))
            if self.alphas is not None:
                change = self.alphas[i] * change
            if self.gates is not None:
                gate = torch.sigmoid(self.gates[i](x))
                x = gate * torch.relu(change) + (1 - gate) * x
            else:
                x = x + change
        return self.head(x)


class Dense(nn.Module):
    """Every layer sees all before it."""

    def __init__(self, depth=8, growth=16, weight="default"):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(64 + i * growth, growth) for i in range(depth))
        initialize(self, weight)
        self.head = nn.Linear(64 + depth * growth, 10)

    def forward(self, x):
        for layer in self.layers:
            x = torch.cat([x, torch.relu(layer(x))], dim=-1)
        return self.head(x)


class Convolutions(nn.Module):
    """VGG's way: 3x3 convolutions, halving the resolution and doubling the channels."""

    def __init__(self, plan="16 16 M 32 32 M 64 64", weight="he_fan_out", bias=0.0, norm=False, act="relu", classes=10):
        super().__init__()
        layers, channels = [], 3
        for entry in plan.split():
            if entry == "M":
                layers.append(nn.MaxPool2d(2))
                continue
            layers.append(nn.Conv2d(channels, int(entry), 3, padding=1))
            channels = int(entry)
            layers += [nn.BatchNorm2d(channels), ACTIVATIONS[act]()] if norm else [ACTIVATIONS[act]()]
        self.features = initialize(nn.Sequential(*layers), weight, bias)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


class LeNet(nn.Module):
    def __init__(self, act="tanh", weight="default", bias=None):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 5), ACTIVATIONS[act](), nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5), ACTIVATIONS[act](), nn.AvgPool2d(2), nn.Flatten(),
            nn.Linear(400, 120), ACTIVATIONS[act](), nn.Linear(120, 84), ACTIVATIONS[act](),
        )  # fmt: skip
        initialize(self, weight, bias)
        self.head = nn.Linear(84, 10)

    def forward(self, x):
        return self.head(self.features(x))


class AlexNet(nn.Module):
    def __init__(self, weight="default", bias=None):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 24, 5, 2, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(24, 64, 5, padding=2), nn.ReLU(),
            nn.Conv2d(64, 96, 3, padding=1), nn.ReLU(), nn.Conv2d(96, 64, 3, padding=1), nn.ReLU(),
            nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Linear(576, 256),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(256, 256),
            nn.ReLU(),
            nn.Linear(256, 10),
        )
        initialize(self, weight, bias)

    def forward(self, x):
        return self.classifier(self.features(x))


class Detector(nn.Module):
    """RetinaNet's head: four convolutions without normalization drawn by N(0, 0.01), and a bias for rare objects."""

    def __init__(self, std=0.01, prior=-4.6):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 256, 3, 4, 1, bias=False), nn.BatchNorm2d(256), nn.ReLU())
        self.tower = nn.Sequential(
            *(layer for _ in range(4) for layer in (nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()))
        )
        self.logits = nn.Conv2d(256, 9, 3, padding=1)
        initialize(self.tower, f"normal {std}", 0.0)
        initialize(self.logits, f"normal {std}", prior)

    def forward(self, x):
        return self.logits(self.tower(self.stem(x)))
