"""Convolutions that standardize their weights, behind scaled activations, are drawn for a ReLU and by the fan out."""

import torch
import torch.nn as nn
import torch.nn.functional as F

GAMMA = {"relu": 1.7139588594436646, "silu": 1.7881293296813965}


class WSConv2d(nn.Conv2d):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, bias=False):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias=bias)
        self.gain = nn.Parameter(torch.ones(out_channels, 1, 1, 1))

    def forward(self, x):
        var, mean = torch.var_mean(self.weight, dim=(1, 2, 3), keepdim=True)
        scale = torch.rsqrt(torch.clamp(var * self.weight[0].numel(), min=1e-4)) * self.gain
        weight = (self.weight - mean) * scale
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


class Block(nn.Module):
    def __init__(self, planes, alpha=0.2, beta=1.0):
        super().__init__()
        self.conv1 = WSConv2d(planes, planes, 3, padding=1)
        self.conv2 = WSConv2d(planes, planes, 3, padding=1)
        self.alpha = alpha
        self.beta = beta

    def forward(self, x):
        out = F.relu(x) * GAMMA["relu"] * self.beta
        out = F.relu(self.conv1(out)) * GAMMA["relu"]
        return x + self.conv2(out) * self.alpha


class NFResNet(nn.Module):
    def __init__(self, depth=4, planes=16, num_classes=10):
        super().__init__()
        self.conv1 = WSConv2d(3, planes, 3, padding=1)
        self.layers = nn.Sequential(*[Block(planes) for _ in range(depth)])
        self.fc = nn.Linear(planes, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_in", nonlinearity="linear")

    def forward(self, x):
        return self.fc(self.layers(self.conv1(x)).mean((2, 3)))


model = NFResNet()
print(model(torch.randn(2, 3, 8, 8)).shape)
