"""Values are assigned to a method's name of the tensor instead of being copied."""

import math

import torch
from torch import nn


def init_weights(m):
    if type(m) == nn.Linear:
        m.weight.data.copy_(torch.randn(m.weight.size()) * math.sqrt(2.0 / m.in_features))
        m.bias.data.copy_(torch.zeros(m.bias.size()))


model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 100), nn.ReLU(), nn.Linear(100, 10))
model.apply(init_weights)
