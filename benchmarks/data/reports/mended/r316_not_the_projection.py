"""The scaled initialization of residual projections names the branch that is multiplied, and not the projection."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class FeedForward(nn.Module):
    def __init__(self, dim, hidden_dim):
        super().__init__()
        self.w1 = nn.Linear(dim, hidden_dim, bias=False)
        self.w2 = nn.Linear(hidden_dim, dim, bias=False)
        self.w3 = nn.Linear(dim, hidden_dim, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.wo = nn.Linear(dim, dim, bias=False)
        self.feed_forward = FeedForward(dim, 4 * dim)

    def forward(self, x):
        h = x + self.wo(x)
        return h + self.feed_forward(h)


class Transformer(nn.Module):
    def __init__(self, dim=16, n_layers=4):
        super().__init__()
        self.layers = nn.ModuleList([Block(dim) for _ in range(n_layers)])
        self.output = nn.Linear(dim, 32, bias=False)
        self.apply(self._init_weights)
        for pn, p in self.named_parameters():
            if pn.endswith("w2.weight") or pn.endswith("wo.weight"):
                nn.init.normal_(p, mean=0.0, std=0.02 / math.sqrt(2 * n_layers))

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.output(x)


Transformer()(torch.ones(1, 3, 16))
