"""A shortcut makes its convolution in each forward: the optimizer never sees it."""

import torch.nn as nn


class InvertedResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, expansion=6, stride=1):
        super().__init__()
        hidden = in_channels * expansion
        self.stride = stride
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.conv = nn.Sequential(
            nn.Conv2d(in_channels, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, hidden, 3, stride=stride, padding=1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x):
        if self.stride == 1:
            identity = x
            if self.in_channels != self.out_channels:
                identity = nn.Conv2d(self.in_channels, self.out_channels, 1).to(x.device)(x)  # wrong
            return identity + self.conv(x)
        return self.conv(x)
