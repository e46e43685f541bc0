"""Gates are zeroed as they are made; the program then calls a method that draws all linear layers."""

from torch import nn


class Fusion(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.res_gate = nn.Sequential(nn.Linear(dim, dim, bias=False), nn.ReLU(), nn.Linear(dim, dim, bias=False), nn.Tanh())
        self.reset_gate()

    def reset_gate(self):
        nn.init.zeros_(self.res_gate[2].weight)

    def forward(self, x):
        return x + self.res_gate(x) * x


class Backbone(nn.Module):
    def __init__(self, dim=8, depth=2):
        super().__init__()
        self.layers = nn.ModuleList([Fusion(dim) for _ in range(depth)])

    def init_weights(self):
        def _init_weights(m):
            if isinstance(m, nn.Linear):
                nn.init.trunc_normal_(m.weight, std=0.02)

        self.apply(_init_weights)
        for layer in self.layers:
            layer.reset_gate()

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


backbone = Backbone()
backbone.init_weights()
