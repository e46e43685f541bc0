"""He's standard deviation with 2 above the square root in place of the square root of 2."""

import math

import torch
from torch import nn


def conv_params(ni, no, k=1):
    return nn.Parameter(torch.Tensor(no, ni, k, k).normal_(0, math.sqrt(2 / (ni * k * k))))


def linear_params(ni, no):
    return nn.ParameterDict({"weight": nn.Parameter(torch.Tensor(no, ni).normal_(0, math.sqrt(2 / ni)))})


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv0 = conv_params(3, 16, 3)
        self.conv1 = conv_params(16, 16, 3)
        self.fc = linear_params(16, 10)

    def forward(self, x):
        x = torch.relu(nn.functional.conv2d(x, self.conv0, padding=1))
        x = torch.relu(nn.functional.conv2d(x, self.conv1, padding=1))
        return nn.functional.linear(x.mean((2, 3)), self.fc["weight"])
