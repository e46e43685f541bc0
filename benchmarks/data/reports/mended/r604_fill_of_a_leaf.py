"""The weight of a new convolution, a leaf that requires gradients, is filled in place."""

import torch
from torch import nn


class Stretch2d(nn.Module):
    def __init__(self, time_scale, freq_scale):
        super().__init__()
        self.freq_scale = freq_scale
        self.time_scale = time_scale

    def forward(self, specgram):
        return specgram.repeat_interleave(self.freq_scale, -2).repeat_interleave(self.time_scale, -1)


class UpsampleNetwork(nn.Module):
    def __init__(self, upsample_scales, n_freq=16, kernel_size=5):
        super().__init__()
        self.conv_in = nn.Conv1d(n_freq, n_freq, kernel_size, bias=False)
        layers = []
        for scale in upsample_scales:
            stretch = Stretch2d(scale, 1)
            conv = nn.Conv2d(1, 1, kernel_size=(1, scale * 2 + 1), padding=(0, scale), bias=False)
            nn.init.constant_(conv.weight, 1.0 / (scale * 2 + 1))
            layers += [stretch, conv]
        self.upsample_layers = nn.Sequential(*layers)

    def forward(self, specgram):
        x = self.conv_in(specgram).unsqueeze(1)
        return self.upsample_layers(x).squeeze(1)


net = UpsampleNetwork([4, 4])
print(net(torch.randn(1, 16, 10)).shape)
