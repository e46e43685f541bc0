"""A tensor is assigned to the name of a parameter."""

import math

import torch
from torch import nn


def random_weight(shape):
    w = torch.randn(shape) * math.sqrt(2.0 / shape[1])
    w.requires_grad = True
    return w


def init_weights(m):
    if type(m) == nn.Linear:
        m.weight = random_weight(m.weight.size())  # wrong


model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 100), nn.ReLU(), nn.Linear(100, 10))
model.apply(init_weights)
