"""The first layer of a network of sines is drawn as the others are, which divide by a frequency that they multiply by."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Sine(nn.Module):
    def __init__(self, w0=1.0):
        super().__init__()
        self.w0 = w0

    def forward(self, x):
        return torch.sin(self.w0 * x)


class Siren(nn.Module):
    def __init__(self, dim_in, dim_out, w0=30.0, c=6.0, is_first=False, use_bias=True, activation=None):
        super().__init__()
        self.dim_in = dim_in
        self.is_first = is_first
        weight = torch.zeros(dim_out, dim_in)
        bias = torch.zeros(dim_out) if use_bias else None
        self.init_(weight, bias, c=c, w0=w0)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(bias) if use_bias else None
        self.activation = Sine(w0) if activation is None else activation

    def init_(self, weight, bias, c, w0):
        w_std = 1 / self.dim_in if self.is_first else math.sqrt(c / self.dim_in) / w0
        weight.uniform_(-w_std, w_std)
        if bias is not None:
            bias.uniform_(-w_std, w_std)

    def forward(self, x):
        return self.activation(F.linear(x, self.weight, self.bias))


class SirenNet(nn.Module):
    def __init__(self, dim_in, dim_hidden, dim_out, num_layers, w0=30.0):
        super().__init__()
        self.layers = nn.ModuleList([])
        for ind in range(num_layers):
            self.layers.append(Siren(dim_in if ind == 0 else dim_hidden, dim_hidden, w0=w0, is_first=ind == 0))
        self.last_layer = Siren(dim_hidden, dim_out, w0=w0, activation=nn.Identity())

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.last_layer(x)


net = SirenNet(2, 256, 3, num_layers=5)
