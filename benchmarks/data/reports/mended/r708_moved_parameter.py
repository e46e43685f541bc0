"""A parameter that is moved as it is made is a tensor: the module has no parameters."""

import torch


class Scale(torch.nn.Module):
    def __init__(self, features):
        super(Scale, self).__init__()
        self.par = torch.nn.Parameter(torch.rand(features, device="cuda"))

    def forward(self, x):
        return x * self.par
