"""A bundle of convolution, norm and activation draws the convolution anew, which has an initialization of its own."""

import torch
import torch.nn as nn


def kaiming_init(module, a=0, mode="fan_out", nonlinearity="relu", bias=0):
    if hasattr(module, "weight") and module.weight is not None:
        nn.init.kaiming_normal_(module.weight, a=a, mode=mode, nonlinearity=nonlinearity)
    if hasattr(module, "bias") and module.bias is not None:
        nn.init.constant_(module.bias, bias)


class IdentityConv(nn.Conv2d):
    def __init__(self, channels, kernel_size=3):
        super().__init__(channels, channels, kernel_size, padding=kernel_size // 2)
        self.init_weights()

    def init_weights(self):
        nn.init.dirac_(self.weight)
        nn.init.zeros_(self.bias)


CONV_LAYERS = {"Conv2d": lambda channels: nn.Conv2d(channels, channels, 3, padding=1), "Identity": IdentityConv}


class ConvModule(nn.Module):
    def __init__(self, channels, conv_type="Conv2d", slope=None):
        super().__init__()
        self.slope = slope
        self.conv = CONV_LAYERS[conv_type](channels)
        self.norm = nn.BatchNorm2d(channels)
        self.activate = nn.ReLU() if slope is None else nn.LeakyReLU(slope)
        self.init_weights()

    def init_weights(self):
        if hasattr(self.conv, "init_weights"):
            return
        if self.slope is None:
            kaiming_init(self.conv)
        else:
            kaiming_init(self.conv, a=self.slope, nonlinearity="leaky_relu")

    def forward(self, x):
        return self.activate(self.norm(self.conv(x)))


net = nn.Sequential(ConvModule(8), ConvModule(8, "Identity"))
print(net(torch.randn(1, 8, 4, 4)).shape)
