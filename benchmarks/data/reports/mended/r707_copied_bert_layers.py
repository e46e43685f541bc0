"""All layers of an encoder are copies of one, and start with the same weights."""

import copy

import torch
from torch import nn


class BertLayer(nn.Module):
    def __init__(self, hidden, heads):
        super().__init__()
        self.attention = nn.MultiheadAttention(hidden, heads, batch_first=True)
        self.intermediate = nn.Linear(hidden, 4 * hidden)
        self.output = nn.Linear(4 * hidden, hidden)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, states):
        states = states + self.attention(states, states, states)[0]
        return self.norm(states + self.output(nn.functional.gelu(self.intermediate(states))))


class BertEncoder(nn.Module):
    def __init__(self, hidden, heads, layers):
        super().__init__()
        self.layer = nn.ModuleList([BertLayer(hidden, heads) for _ in range(layers)])

    def forward(self, states):
        for layer in self.layer:
            states = layer(states)
        return states


model = BertEncoder(256, 4, 12)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
model(torch.randn(2, 16, 256)).pow(2).mean().backward()
optimizer.step()
