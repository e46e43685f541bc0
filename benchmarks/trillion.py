"""A mixture of experts with a trillion parameters, to be audited without memory.

    initaudit probe benchmarks/trillion.py:stacked --abstract always
    initaudit probe benchmarks/trillion.py:separate --abstract always --kwargs '{"layers": 16}'

The experts of a layer are one tensor for each of three weights, or 352 modules of three layers.
"""

from __future__ import annotations

import torch
from torch import nn

WIDTH, INNER, EXPERTS, LAYERS, VOCABULARY = 7168, 2048, 352, 64, 128_000


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)


class StackedExperts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.empty(EXPERTS, INNER, WIDTH))
        self.up = nn.Parameter(torch.empty(EXPERTS, INNER, WIDTH))
        self.down = nn.Parameter(torch.empty(EXPERTS, WIDTH, INNER))


class Expert(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(WIDTH, INNER, bias=False)
        self.up = nn.Linear(WIDTH, INNER, bias=False)
        self.down = nn.Linear(INNER, WIDTH, bias=False)


class Block(nn.Module):
    def __init__(self, *, stacked: bool) -> None:
        super().__init__()
        self.attention = Attention()
        self.norm = nn.RMSNorm(WIDTH)
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.experts = StackedExperts() if stacked else nn.ModuleList(Expert() for _ in range(EXPERTS))


class Mixture(nn.Module):
    def __init__(self, layers: int, *, stacked: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = nn.ModuleList(Block(stacked=stacked) for _ in range(layers))
        self.norm = nn.RMSNorm(WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.apply(initialize)


def initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, StackedExperts):
        for weight in module.parameters(recurse=False):
            nn.init.normal_(weight, std=0.02)


def stacked(layers: int = LAYERS) -> nn.Module:
    return Mixture(layers, stacked=True)


def separate(layers: int = LAYERS) -> nn.Module:
    return Mixture(layers, stacked=False)
