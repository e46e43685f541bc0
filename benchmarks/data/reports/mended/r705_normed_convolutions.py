"""A vocoder applies its initializer to convolutions under weight normalization, whose weights are computed."""

import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm


def init_weights(m, mean=0.0, std=0.01):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        m.weight.data.normal_(mean, std)


def get_padding(kernel_size, dilation=1):
    return (kernel_size * dilation - dilation) // 2


class AMPBlock(nn.Module):
    def __init__(self, channels, kernel_size=3, dilation=(1, 3, 5)):
        super().__init__()
        self.convs1 = nn.ModuleList(
            [
                nn.Conv1d(channels, channels, kernel_size, dilation=d, padding=get_padding(kernel_size, d))
                for d in dilation
            ]
        )
        self.convs1.apply(init_weights)
        for conv in self.convs1:
            weight_norm(conv)

    def forward(self, x):
        for conv in self.convs1:
            x = x + conv(torch.nn.functional.leaky_relu(x, 0.1))
        return x
