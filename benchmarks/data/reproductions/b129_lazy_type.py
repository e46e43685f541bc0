"""A lazy layer has become a Linear by the time its type is compared."""

import torch
from torch import nn


def init_constant(module):
    if type(module) == nn.LazyLinear:  # bug
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)


def fixed(module):
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)


net = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(1))
net(torch.rand(2, 4))
net[0].apply(init_constant)
net[2].apply(fixed)
