"""An initializer that makes new tensors and returns them; `apply` drops what it returns."""

import math

import torch
from torch import nn


def random_weight(shape):
    return torch.randn(shape) * math.sqrt(2.0 / shape[1])


def init_weights(m):
    if type(m) == nn.Linear:
        weight = random_weight(m.weight.size())  # wrong
        bias = torch.zeros(m.bias.size())
        return weight, bias


model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 100), nn.ReLU(), nn.Linear(100, 10))
model.apply(init_weights)
