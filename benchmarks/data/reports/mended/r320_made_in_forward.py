"""Position weights are made, and drawn, in every forward pass."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class AttentionConv(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size=3, padding=1):
        super().__init__()
        self.kernel_size, self.padding = kernel_size, padding
        self.key_conv = nn.Conv2d(in_channels, out_channels, 1)
        self.query_conv = nn.Conv2d(in_channels, out_channels, 1)
        self.value_conv = nn.Conv2d(in_channels, out_channels, 1)
        self.rel_h = nn.Parameter(torch.randn(out_channels // 2, 1, 1, kernel_size, 1))
        self.rel_w = nn.Parameter(torch.randn(out_channels // 2, 1, 1, 1, kernel_size))

    def forward(self, x):
        batch, channels, height, width = x.size()
        padded = F.pad(x, [self.padding] * 4)
        q = self.query_conv(x)
        k = self.key_conv(padded).unfold(2, self.kernel_size, 1).unfold(3, self.kernel_size, 1)
        v = self.value_conv(padded).unfold(2, self.kernel_size, 1).unfold(3, self.kernel_size, 1)
        k_h, k_w = k.split(k.size(1) // 2, dim=1)
        k = torch.cat((k_h + self.rel_h, k_w + self.rel_w), dim=1).flatten(4)
        attn = F.softmax(q.unsqueeze(-1) * k, dim=-1)
        return (attn * v.flatten(4)).sum(-1)


AttentionConv(4, 4)(torch.randn(1, 4, 5, 5))
