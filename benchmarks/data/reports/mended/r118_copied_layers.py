"""A decoder copies the layer that it is given, so that all layers start alike."""

from copy import deepcopy

from torch import nn


class Layer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.proj = nn.Linear(dim, dim)
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.xavier_normal_(self.proj.weight)

    def forward(self, x):
        return x + self.proj(x).tanh()


class Decoder(nn.Module):
    def __init__(self, layer, n):
        super().__init__()
        self.layers = nn.ModuleList([deepcopy(layer) for _ in range(n)])
        for copied in self.layers:
            copied.reset_parameters()

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


Decoder(Layer(8), 3)
