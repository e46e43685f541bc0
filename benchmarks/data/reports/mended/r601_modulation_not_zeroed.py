"""Blocks of the adaLN-Zero kind whose modulation is never set to zero."""

import torch
from torch import nn


class AdaLayerNormZero(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.silu = nn.SiLU()
        self.linear = nn.Linear(dim, dim * 6)
        self.norm = nn.LayerNorm(dim, elementwise_affine=False, eps=1e-6)

    def forward(self, x, emb):
        emb = self.linear(self.silu(emb))
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = emb.chunk(6, dim=1)
        x = self.norm(x) * (1 + scale_a[:, None]) + shift_a[:, None]
        return x, gate_a, shift_m, scale_m, gate_m


class DiTBlock(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.attn_norm = AdaLayerNormZero(dim)
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.ff_norm = nn.LayerNorm(dim, elementwise_affine=False, eps=1e-6)
        self.ff = nn.Sequential(nn.Linear(dim, dim * 4), nn.GELU(), nn.Linear(dim * 4, dim))

    def forward(self, x, t):
        norm, gate_a, shift, scale, gate_m = self.attn_norm(x, t)
        x = x + gate_a[:, None] * self.attn(norm, norm, norm)[0]
        norm = self.ff_norm(x) * (1 + scale[:, None]) + shift[:, None]
        return x + gate_m[:, None] * self.ff(norm)


class DiT(nn.Module):
    def __init__(self, dim=32, depth=2, heads=4):
        super().__init__()
        self.blocks = nn.ModuleList([DiTBlock(dim, heads) for _ in range(depth)])
        self.proj_out = nn.Linear(dim, dim)
        for block in self.blocks:
            nn.init.zeros_(block.attn_norm.linear.weight)
            nn.init.zeros_(block.attn_norm.linear.bias)

    def forward(self, x, t):
        for block in self.blocks:
            x = block(x, t)
        return self.proj_out(x)


model = DiT()
print(model(torch.randn(2, 5, 32), torch.randn(2, 32)).shape)
