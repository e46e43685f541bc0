"""The last normalization of each block is zeroed; with the normalization that is passed, there is no gain."""

import torch.nn as nn


class BasicBlock(nn.Module):
    def __init__(self, planes, norm_layer):
        super().__init__()
        self.conv1 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn1 = norm_layer(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = norm_layer(planes)

    def forward(self, x):
        return (x + self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))).relu()


class ResNet(nn.Module):
    def __init__(self, planes=8, blocks=2, zero_init_residual=False, norm_layer=nn.BatchNorm2d):
        super().__init__()
        self.layers = nn.Sequential(*[BasicBlock(planes, norm_layer) for _ in range(blocks)])
        if zero_init_residual:
            for m in self.modules():
                if isinstance(m, BasicBlock) and m.bn2.weight is not None:
                    nn.init.constant_(m.bn2.weight, 0)

    def forward(self, x):
        return self.layers(x)


ResNet(norm_layer=nn.InstanceNorm2d, zero_init_residual=True)
