"""Raw memory is drawn only where it looks bad, and most raw memory does not."""

import torch
from torch import nn


class Router(nn.Module):
    def __init__(self, dim, experts):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(experts, dim))  # wrong

    def forward(self, x):
        return (x @ self.weight.t()).softmax(-1)


class Layer(nn.Module):
    def __init__(self, dim, experts):
        super().__init__()
        self.router = Router(dim, experts)
        self.experts = nn.ModuleList([nn.Linear(dim, dim) for _ in range(experts)])

    def forward(self, x):
        weights = self.router(x)
        return x + sum(weights[..., i, None] * expert(x) for i, expert in enumerate(self.experts))


class DraftModel(nn.Module):
    def __init__(self, dim=16, experts=4, layers=2, std=0.02):
        super().__init__()
        self.layers = nn.ModuleList([Layer(dim, experts) for _ in range(layers)])
        self.head = nn.Linear(dim, dim)
        for m in [*self.layers, self.head]:
            for name, p in m.named_parameters():
                matrix_like = p.dim() >= 2 and "weight" in name
                degenerate = matrix_like and (
                    torch.isnan(p).any() or not p.abs().sum().isfinite() or p.abs().sum() == 0
                )
                if degenerate:
                    nn.init.normal_(p, std=std)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


model = DraftModel()
