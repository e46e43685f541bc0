"""A linear layer of its own that kept the allocation and lost the initializer."""

import torch
import torch.nn.functional as F
from torch import nn


class NoisyLinear(nn.Module):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        self.weight = nn.Parameter(torch.Tensor(out_features, in_features))  # wrong
        if bias:
            self.bias = nn.Parameter(torch.Tensor(out_features))
        else:
            self.register_parameter("bias", None)

    def forward(self, mean, variance):
        return F.linear(mean, self.weight, self.bias), F.linear(variance, self.weight**2)


NoisyLinear(4, 2)
