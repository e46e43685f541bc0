"""The slope of an activation that should be learned is a plain tensor of zeros."""

import torch
import torch.nn as nn


class Dice(nn.Module):
    """The adaptive activation of the Deep Interest Network, with a slope that is learned."""

    def __init__(self, emb_size, dim=2, epsilon=1e-8):
        super().__init__()
        self.bn = nn.BatchNorm1d(emb_size, eps=epsilon)
        self.sigmoid = nn.Sigmoid()
        self.dim = dim
        if self.dim == 2:
            self.alpha = nn.Parameter(torch.zeros((emb_size,)))
        else:
            self.alpha = nn.Parameter(torch.zeros((emb_size, 1)))

    def forward(self, x):
        x_p = self.sigmoid(self.bn(x))
        return self.alpha * (1 - x_p) * x + x_p * x


class DNN(nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.linears = nn.ModuleList([nn.Linear(inputs, hidden), nn.Linear(hidden, hidden)])
        self.activations = nn.ModuleList([Dice(hidden), Dice(hidden)])

    def forward(self, x):
        for linear, activation in zip(self.linears, self.activations):
            x = activation(linear(x))
        return x


model = DNN(8, 16)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
