"""A reset writes a gate that only the later layers have."""

import torch
import torch.nn as nn


class Attention(nn.Module):
    def __init__(self, dim, block_idx, adapter_start_layer=2):
        super().__init__()
        self.attn = nn.Linear(dim, 3 * dim)
        if block_idx >= adapter_start_layer:
            self.adapter_wte = nn.Embedding(10, dim)
            self.gating_factor = nn.Parameter(torch.zeros(1, 1, 4, 1))
        self.block_idx = block_idx
        self.adapter_start_layer = adapter_start_layer

    def forward(self, x):
        return self.attn(x)

    def reset_parameters(self):
        if hasattr(self, "gating_factor"):
            nn.init.zeros_(self.gating_factor)


layers = nn.ModuleList([Attention(8, i) for i in range(4)])
for layer in layers:
    layer.reset_parameters()
