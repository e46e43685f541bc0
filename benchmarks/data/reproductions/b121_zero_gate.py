"""A gate is zeroed by its block, and drawn anew when the backbone initializes everything."""

from torch import nn


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.res_gate = nn.Sequential(nn.Linear(dim, dim, bias=False), nn.ReLU(), nn.Linear(dim, dim, bias=False), nn.Tanh())
        nn.init.zeros_(self.res_gate[0].weight)  # bug
        nn.init.zeros_(self.res_gate[2].weight)  # bug

    def forward(self, x, residual):
        return x + self.res_gate(residual) * residual


class Backbone(nn.Module):
    def __init__(self, dim, depth):
        super().__init__()
        self.layers = nn.ModuleList(Block(dim) for _ in range(depth))
        self.init_weights()

    def init_weights(self):
        def draw(module):
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)

        self.apply(draw)
