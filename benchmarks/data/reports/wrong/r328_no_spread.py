"""Convolutions are drawn from a normal distribution whose standard deviation is 0."""

import torch
from torch import nn


def weights_init(m):
    if isinstance(m, nn.Conv2d):
        m.weight.data.normal_(0.0, 0.0)  # wrong
    elif isinstance(m, nn.BatchNorm2d):
        m.weight.data.normal_(1.0, 0.02)
        m.bias.data.fill_(0)


model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 3))
model.apply(weights_init)
model(torch.ones(1, 3, 8, 8))
