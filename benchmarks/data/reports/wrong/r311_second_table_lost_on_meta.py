"""A rotary embedding keeps two buffers; what initializes it after `to_empty` computes one of them."""

import torch
from torch import nn


class RotaryEmbedding(nn.Module):
    def __init__(self, dim=16, base=10000.0):
        super().__init__()
        self.dim, self.base = dim, base
        inv_freq = self.compute()
        self.register_buffer("inv_freq", inv_freq, persistent=False)
        self.register_buffer("original_inv_freq", inv_freq.clone(), persistent=False)  # wrong

    def compute(self):
        return 1.0 / (self.base ** (torch.arange(0, self.dim, 2).float() / self.dim))

    def forward(self, x, position_ids):
        if position_ids.max() < 4096:
            self.inv_freq.copy_(self.original_inv_freq)
        freqs = position_ids[:, None].float() @ self.inv_freq[None, :]
        return freqs.cos(), freqs.sin()


class Model(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.rotary = RotaryEmbedding(dim)
        self.proj = nn.Linear(dim, dim)

    def init_weights(self):
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
            elif isinstance(module, RotaryEmbedding):
                module.inv_freq.copy_(module.compute())

    def forward(self, x):
        cos, sin = self.rotary(x, torch.arange(x.shape[1]))
        return self.proj(x) * cos.repeat(1, 2) + sin.repeat(1, 2)


with torch.device("meta"):
    model = Model()
model.to_empty(device="cpu")
with torch.no_grad():
    model.init_weights()
print(model(torch.ones(1, 4, 16)).sum())
