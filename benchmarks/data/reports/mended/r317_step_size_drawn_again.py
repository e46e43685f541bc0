"""The projection of a state space's step size is initialized specially; the model draws all linear layers afterwards."""

import math

import torch
from torch import nn


class Mamba(nn.Module):
    def __init__(self, d_model, dt_rank=4, dt_min=0.001, dt_max=0.1):
        super().__init__()
        self.x_proj = nn.Linear(d_model, dt_rank, bias=False)
        self.dt_proj = nn.Linear(dt_rank, d_model, bias=True)
        nn.init.constant_(self.dt_proj.weight, dt_rank**-0.5)
        dt = torch.exp(torch.rand(d_model) * (math.log(dt_max) - math.log(dt_min)) + math.log(dt_min)).clamp(min=1e-4)
        with torch.no_grad():
            self.dt_proj.bias.copy_(dt + torch.log(-torch.expm1(-dt)))
        self.dt_proj.bias._no_reinit = True

    def forward(self, x):
        return x * nn.functional.softplus(self.dt_proj(self.x_proj(x)))


class LanguageModel(nn.Module):
    def __init__(self, vocab=32, dim=16, layers=2):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.mixers = nn.ModuleList([Mamba(dim) for _ in range(layers)])
        self.unembed = nn.Linear(dim, vocab)
        self.apply(self._init_weights)

    def _init_weights(self, m, initializer_range=0.02):
        if isinstance(m, nn.Linear):
            if m.bias is not None and not getattr(m.bias, "_no_reinit", False):
                nn.init.zeros_(m.bias)
        elif isinstance(m, nn.Embedding):
            nn.init.normal_(m.weight, mean=0, std=initializer_range)

    def forward(self, tokens):
        x = self.embed(tokens)
        for mixer in self.mixers:
            x = x + mixer(x)
        return self.unembed(x)
