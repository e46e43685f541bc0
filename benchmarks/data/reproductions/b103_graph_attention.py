"""The parameters of a layer are initialized by a method that only one of two constructors calls."""

import torch
from torch import nn


class Layer(nn.Module):
    def __init__(self, inputs, outputs, heads):
        super().__init__()
        self.projection = nn.Linear(inputs, heads * outputs, bias=False)
        self.source = nn.Parameter(torch.Tensor(1, heads, outputs))  # bug
        self.target = nn.Parameter(torch.Tensor(1, heads, outputs))  # bug

    def init_params(self):
        nn.init.xavier_uniform_(self.projection.weight)
        nn.init.xavier_uniform_(self.source)
        nn.init.xavier_uniform_(self.target)

    def forward(self, nodes):
        nodes = self.projection(nodes).view(-1, *self.source.shape[1:])
        return (nodes * self.source).sum(dim=-1), (nodes * self.target).sum(dim=-1)


class FixedLayer(nn.Module):
    def __init__(self, inputs, outputs, heads):
        super().__init__()
        self.source = nn.Parameter(torch.Tensor(1, heads, outputs))
        self.target = nn.Parameter(torch.Tensor(1, heads, outputs))
        self.init_params()

    def init_params(self):
        nn.init.xavier_uniform_(self.source)
        nn.init.xavier_uniform_(self.target)
