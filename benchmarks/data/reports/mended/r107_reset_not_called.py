"""A layer of raw memory whose `reset_parameters` the constructor never calls."""

import torch
from torch import nn


class LSoftmaxLinear(nn.Module):
    def __init__(self, input_features, output_features, margin):
        super().__init__()
        self.margin = margin
        self.weight = nn.Parameter(torch.FloatTensor(input_features, output_features))
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.kaiming_normal_(self.weight.t())

    def forward(self, x):
        return x.mm(self.weight)


class Net(nn.Module):
    def __init__(self, margin):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc = LSoftmaxLinear(4, 10, margin)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))
