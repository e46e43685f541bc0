"""A linear layer with noise: the base class calls the overridden reset, which reads what is made afterwards."""

import torch
from torch import nn
from torch.nn import init


class NoisyLinear(nn.Linear):
    def __init__(self, in_features, out_features, sigma_init=0.017):
        super().__init__(in_features, out_features)  # wrong
        self.sigma_init = sigma_init
        self.sigma_weight = nn.Parameter(torch.empty(out_features, in_features))

    def reset_parameters(self):
        init.uniform_(self.weight, -0.1, 0.1)
        init.constant_(self.sigma_weight, self.sigma_init)

    def forward(self, x):
        return nn.functional.linear(x, self.weight + self.sigma_weight * torch.randn_like(self.weight), self.bias)
