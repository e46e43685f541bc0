"""The models in the pictures of this folder: one that is initialized well, one that is not, and the latter mended."""

import torch
from torch import nn


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        for conv in (self.conv1, self.conv2):
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        hidden = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(x + self.norm2(self.conv2(hidden)))


class Healthy(nn.Module):
    """A residual network for pictures of 32 by 32 pixels."""

    def __init__(self, channels=32, blocks=6, classes=10):
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 4, stride=4, bias=False)
        nn.init.kaiming_normal_(self.stem.weight, mode="fan_out", nonlinearity="relu")
        self.norm = nn.BatchNorm2d(channels)
        self.blocks = nn.Sequential(*(Residual(channels) for _ in range(blocks)))
        self.head = nn.Linear(channels * 8 * 8, classes)
        nn.init.normal_(self.head.weight, std=0.003)
        nn.init.zeros_(self.head.bias)

    def forward(self, x):
        hidden = self.blocks(torch.relu(self.norm(self.stem(x))))
        return torch.log_softmax(self.head(hidden.flatten(1)), dim=1)


class Broken(nn.Module):
    """Twenty rectified layers that are drawn for tanh, and a parameter that nothing writes."""

    def __init__(self, width=96, depth=20, classes=10):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        for layer in self.layers:
            nn.init.xavier_normal_(layer.weight)
        self.head = nn.Linear(width, classes)
        self.offset = nn.Parameter(torch.empty(classes))

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return torch.log_softmax(self.head(x) + self.offset, dim=1)


class Mended(Broken):
    """The same network, with layers that are drawn for rectifiers, and a parameter that starts at zero."""

    def __init__(self):
        super().__init__()
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(self.offset)
