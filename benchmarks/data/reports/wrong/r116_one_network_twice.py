"""Two inputs get a network each, but the list holds one of them twice."""

import torch
from torch import nn


def mlp(in_size, hidden, layers):
    channels = [in_size] + layers * [hidden]
    net = []
    for i in range(layers):
        net += [nn.Linear(channels[i], channels[i + 1]), nn.LayerNorm(hidden), nn.LeakyReLU()]
    return nn.Sequential(*net)


class Synth(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.in_mlps = nn.ModuleList([mlp(1, hidden, 3)] * 2)  # wrong
        self.out = mlp(2 * hidden, hidden, 3)

    def forward(self, pitch, loudness):
        return self.out(torch.cat([self.in_mlps[0](pitch), self.in_mlps[1](loudness)], -1))


Synth(8)
