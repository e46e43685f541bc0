"""A parameter is moved, which gives a tensor: what is drawn is no parameter of the module."""

import torch
from torch import nn


class Way(nn.Module):
    def __init__(self, device):
        super().__init__()
        self.device = device
        self.wh = self.init_weight((37, 19))

    def init_weight(self, shape):
        para = nn.Parameter(torch.zeros(shape), requires_grad=True).to(self.device)  # wrong
        nn.init.xavier_normal_(para)
        return para

    def forward(self, x):
        return x @ self.wh


Way(torch.device("cuda"))
