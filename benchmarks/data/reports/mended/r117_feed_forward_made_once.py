"""One feed-forward network is made before the comprehension and handed to every layer."""

from torch import nn


class Layer(nn.Module):
    def __init__(self, dim, attention, ff):
        super().__init__()
        self.attention = attention
        self.ff = ff

    def forward(self, x):
        return x + self.ff(x + self.attention(x, x, x)[0])


class Encoder(nn.Module):
    def __init__(self, dim, n):
        super().__init__()

        def ff():
            return nn.Sequential(nn.Linear(dim, 4 * dim), nn.ReLU(), nn.Linear(4 * dim, dim))

        self.layers = nn.ModuleList([Layer(dim, nn.MultiheadAttention(dim, 2), ff()) for _ in range(n)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


Encoder(8, 3)
