"""Ten networks are kept in a list of Python's, so that the model has none of their parameters."""

import torch
from torch import nn


class ResMLP(nn.Module):
    def __init__(self, in_dim, out_dim, hidden_list):
        super().__init__()
        layers = []
        last = in_dim
        for hidden in hidden_list:
            layers += [nn.Linear(last, hidden), nn.ReLU()]
            last = hidden
        layers.append(nn.Linear(last, out_dim))
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.layers(x)


class ResMLPs(nn.Module):
    def __init__(self, in_dim, out_dim, hidden_list, coord_hidden_list):
        super().__init__()
        self.mlps = nn.ModuleList([ResMLP(in_dim, out_dim, coord_hidden_list) for _ in range(10)])
        self.coord_mlp = ResMLP(2, 2, hidden_list)
        self.expansion = nn.Linear(in_dim + 2, 10)

    def forward(self, x, coord):
        for mlp in self.mlps:
            x = mlp(x)
        return self.expansion(torch.cat([x, self.coord_mlp(coord)], dim=-1))


model = ResMLPs(16, 16, [32], [32])
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
