"""A tensor is given to register_parameter, which takes parameters."""

import torch
import torch.nn as nn


class MultiSpectralDCTLayer(nn.Module):
    def __init__(self, height, width, channel):
        super().__init__()
        self.register_parameter("weight", torch.rand(channel, height, width))  # wrong

    def forward(self, x):
        return torch.sum(x * self.weight, dim=[2, 3])


class Attention(nn.Module):
    def __init__(self, channel, reduction=16):
        super().__init__()
        self.dct = MultiSpectralDCTLayer(7, 7, channel)
        self.fc = nn.Sequential(
            nn.Linear(channel, channel // reduction), nn.ReLU(), nn.Linear(channel // reduction, channel)
        )

    def forward(self, x):
        return x * self.fc(self.dct(x)).sigmoid()[..., None, None]


layer = Attention(64)
