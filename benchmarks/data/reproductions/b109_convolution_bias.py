"""A convolution in any number of dimensions, built of others; its own bias is never initialized."""

import torch
from torch import nn


class ConvNd(nn.Module):
    def __init__(self, inputs, outputs, dimensions, size, use_bias=True):
        super().__init__()
        self.use_bias = use_bias
        if self.use_bias:
            self.bias = nn.Parameter(torch.Tensor(outputs))  # bug
        else:
            self.register_parameter("bias", None)
        self.layers = nn.ModuleList(nn.Conv3d(inputs, outputs, size, bias=False) for _ in range(dimensions - 3))

    def forward(self, x):
        out = sum(layer(x) for layer in self.layers)
        return out + self.bias.view(1, -1, 1, 1, 1) if self.use_bias else out


class FixedConvNd(nn.Module):
    def __init__(self, outputs, use_bias=True):
        super().__init__()
        if use_bias:
            self.bias = nn.Parameter(torch.Tensor(outputs))
            nn.init.zeros_(self.bias)
        else:
            self.register_parameter("bias", None)
