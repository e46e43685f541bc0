"""Parameters are kept in a dict of Python's, so that the model has none of them."""

import torch
from torch import nn


class Aggregation(nn.Module):
    def __init__(self, relations, dim=3):
        super().__init__()
        self.weights = dict()
        for relation in relations:
            self.weights[relation] = nn.Parameter(torch.randn(dim, dim) * 0.1)  # wrong
        self.root = nn.Parameter(torch.randn(dim, dim) * 0.1)

    def forward(self, x, adjacency):
        out = x @ self.root
        for relation, matrix in adjacency.items():
            out = out + matrix @ x @ self.weights[relation]
        return out


model = Aggregation(["cites", "writes"])
for name, param in model.named_parameters():
    print(name, param.size())
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
