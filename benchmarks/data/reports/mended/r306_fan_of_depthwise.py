"""The fan out of a convolution ignores its groups: depthwise ones start far too small."""

import math

from torch import nn


def init_weight_goog(m):
    if isinstance(m, nn.Conv2d):
        fan_out = m.kernel_size[0] * m.kernel_size[1] * m.out_channels
        fan_out //= m.groups
        m.weight.data.normal_(0, math.sqrt(2.0 / fan_out))
        if m.bias is not None:
            m.bias.data.zero_()
    elif isinstance(m, nn.BatchNorm2d):
        m.weight.data.fill_(1.0)
        m.bias.data.zero_()


class DepthwiseSeparable(nn.Module):
    def __init__(self, chs, out_chs):
        super().__init__()
        self.conv_dw = nn.Conv2d(chs, chs, 3, padding=1, groups=chs, bias=False)
        self.bn1 = nn.BatchNorm2d(chs)
        self.conv_pw = nn.Conv2d(chs, out_chs, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_chs)

    def forward(self, x):
        return self.bn2(self.conv_pw(self.bn1(self.conv_dw(x)).relu()))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(DepthwiseSeparable(32, 64), DepthwiseSeparable(64, 64))
        for m in self.modules():
            init_weight_goog(m)

    def forward(self, x):
        return self.blocks(x)
