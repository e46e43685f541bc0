"""Parameters that only a checkpoint fills, in a model that may be built without one."""

import torch
from torch import nn


class HyperConnection(nn.Module):
    def __init__(self, streams, width):
        super().__init__()
        self.fn = nn.Parameter(torch.empty(streams, streams * width))  # bug
        self.base = nn.Parameter(torch.empty(streams))  # bug
        self.scale = nn.Parameter(torch.empty(3))  # bug

    def forward(self, x):
        return self.scale[0] * (x.flatten(-2) @ self.fn.t()) + self.base


class FixedHyperConnection(nn.Module):
    def __init__(self, streams, width):
        super().__init__()
        self.fn = nn.Parameter(torch.empty(streams, streams * width))
        self.base = nn.Parameter(torch.empty(streams))
        self.init_weights()

    def init_weights(self, std=0.02):
        nn.init.normal_(self.fn, std=std)
        nn.init.zeros_(self.base)
