"""A scale is multiplied with the slope that Kaiming's initializer takes, so that a greater scale gives smaller weights."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class KANLinear(nn.Module):
    def __init__(self, in_features, out_features, num=5, scale_noise=0.1, scale_base=1.0, scale_spline=1.0):
        super().__init__()
        self.in_features = in_features
        self.num = num
        self.scale_noise = scale_noise
        self.scale_base = scale_base
        self.scale_spline = scale_spline
        self.register_buffer("centers", torch.linspace(-1, 1, num))
        self.base_weight = nn.Parameter(torch.Tensor(out_features, in_features))
        self.spline_weight = nn.Parameter(torch.Tensor(out_features, in_features, num))
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.kaiming_uniform_(self.base_weight, a=math.sqrt(5) * self.scale_base)  # wrong
        with torch.no_grad():
            noise = (torch.rand_like(self.spline_weight) - 0.5) * self.scale_noise / self.num
            self.spline_weight.copy_(self.scale_spline * noise)

    def forward(self, x):
        base = F.linear(F.silu(x), self.base_weight)
        splines = torch.exp(-((x.unsqueeze(-1) - self.centers) ** 2))
        return base + F.linear(splines.flatten(1), self.spline_weight.flatten(1))


class KAN(nn.Module):
    def __init__(self, sizes, scale_base=1.0):
        super().__init__()
        self.layers = nn.ModuleList([KANLinear(i, o, scale_base=scale_base) for i, o in zip(sizes, sizes[1:])])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


model = KAN([784, 64, 10])
