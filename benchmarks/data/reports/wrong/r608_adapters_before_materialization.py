"""Adapters are added on the meta device; the memory that they get afterwards is written by nothing."""

import math

import torch
from torch import nn


class LoRALinear(nn.Module):
    def __init__(self, base, rank=4, alpha=4):
        super().__init__()
        self.base = base
        self.lora_A = nn.Linear(base.in_features, rank, bias=False)  # wrong
        self.lora_B = nn.Linear(rank, base.out_features, bias=False)
        self.scaling = alpha / rank
        nn.init.kaiming_uniform_(self.lora_A.weight, a=math.sqrt(5))
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, x):
        return self.base(x) + self.lora_B(self.lora_A(x)) * self.scaling


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.q_proj = nn.Linear(dim, dim, bias=False)
        self.output_proj = nn.Linear(dim, dim, bias=False)

    def base_of(self, name):
        layer = getattr(self, name)
        return layer.base if isinstance(layer, LoRALinear) else layer

    def init_weights(self):
        self.norm.reset_parameters()
        nn.init.trunc_normal_(self.base_of("q_proj").weight, std=0.02)
        nn.init.trunc_normal_(self.base_of("output_proj").weight, std=0.02)

    def forward(self, x):
        return x + self.output_proj(torch.relu(self.q_proj(self.norm(x))))


class Net(nn.Module):
    def __init__(self, dim=32, depth=2):
        super().__init__()
        self.blocks = nn.ModuleList([Block(dim) for _ in range(depth)])

    def init_weights(self):
        for block in self.blocks:
            block.init_weights()

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def add_lora(net, rank):
    net.requires_grad_(False)
    for block in net.blocks:
        block.q_proj = LoRALinear(block.q_proj, rank)
        block.output_proj = LoRALinear(block.output_proj, rank)
    return net


def build_net(use_lora=True):
    with torch.device("meta"):
        net = Net()
        if use_lora:
            net = add_lora(net, rank=4)
    net.to_empty(device="cpu")
    net.init_weights()
    return net


net = build_net()
print(net(torch.randn(2, 32)).shape)
