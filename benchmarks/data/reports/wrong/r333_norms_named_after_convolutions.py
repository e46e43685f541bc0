"""Weights are chosen by a part of their name, which normalizations within convolution blocks have too."""

import torch
import torch.nn as nn
from torch.nn import init


class BasicConv(nn.Module):
    def __init__(self, in_planes, out_planes, kernel_size):
        super().__init__()
        self.conv = nn.Conv2d(in_planes, out_planes, kernel_size, padding=kernel_size // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_planes)

    def forward(self, x):
        return self.bn(self.conv(x)).relu()


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = BasicConv(3, 8, 7)
        self.bn1 = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 10)
        for key in self.state_dict():
            if key.split(".")[-1] == "weight":
                if "conv" in key:
                    init.kaiming_normal_(self.state_dict()[key], mode="fan_out")  # wrong
                if "bn" in key:
                    self.state_dict()[key][...] = 1

    def forward(self, x):
        return self.fc(self.bn1(self.conv1(x)).mean((2, 3)))


ResNet()(torch.randn(2, 3, 8, 8))
