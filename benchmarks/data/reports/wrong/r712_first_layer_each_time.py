"""An initializer that is applied to all layers writes the first one each time."""

import torch
from torch import nn

net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))


def init_normal(m):
    if type(m) == nn.Linear:
        nn.init.normal_(net[0].weight, mean=0, std=0.01)  # wrong
        nn.init.zeros_(net[0].bias)


net.apply(init_normal)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for x, y in [(torch.rand(2, 4), torch.rand(2, 1))] * 3:
    loss = nn.functional.mse_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
