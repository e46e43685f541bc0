"""Rotary frequencies are computed in the constructor alone, and are in no checkpoint."""

import torch
from torch import nn


class Rotary(nn.Module):
    def __init__(self, dim, base=10_000.0):
        super().__init__()
        frequencies = 1.0 / (base ** (torch.arange(0, dim, 2).float() / dim))
        self.register_buffer("inv_freq", frequencies, persistent=False)  # bug

    def forward(self, positions):
        return torch.outer(positions, self.inv_freq)


class FixedRotary(nn.Module):
    def __init__(self, dim, base=10_000.0):
        super().__init__()
        self.dim, self.base = dim, base
        self.register_buffer("inv_freq", torch.empty(dim // 2), persistent=False)
        self.reset_parameters()

    def reset_parameters(self):
        with torch.no_grad():
            self.inv_freq.copy_(1.0 / (self.base ** (torch.arange(0, self.dim, 2).float() / self.dim)))


class Model(nn.Module):
    def __init__(self, dim, vocabulary):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, dim)
        self.rotary = Rotary(dim)
        self.fixed = FixedRotary(dim)

    def init_weights(self, device):
        self.to_empty(device=device)
        for module in self.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
