"""A function for `apply` initializes the first layer of one network, whichever module it is given."""

import torch.nn as nn

net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))


def init_normal(m):
    if type(m) == nn.Linear:
        nn.init.normal_(net[0].weight, mean=0, std=0.01)  # wrong
        nn.init.zeros_(net[0].bias)


net.apply(init_normal)
