"""A convolution over n dimensions makes its bias of raw memory, and initializes it only when it is told how."""

import torch
from torch import nn


class ConvNd(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, use_bias=True, bias_initializer=None):
        super().__init__()
        self.use_bias = use_bias
        self.conv = nn.Conv3d(in_channels, out_channels, kernel_size, bias=False)
        if use_bias:
            self.bias = nn.Parameter(torch.Tensor(out_channels))  # wrong
            if bias_initializer is not None:
                bias_initializer(self.bias)

    def forward(self, x):
        out = self.conv(x)
        return out + self.bias.view(1, -1, 1, 1, 1) if self.use_bias else out


ConvNd(1, 2, 3)
