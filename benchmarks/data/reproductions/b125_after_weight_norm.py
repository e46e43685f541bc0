"""Convolutions are initialized after weight_norm has taken their weights over."""

from torch import nn
from torch.nn.utils import weight_norm


def init_weights(m, mean=0.0, std=0.01):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        m.weight.data.normal_(mean, std)  # bug


class ResBlock(nn.Module):
    def __init__(self, channels, kernel_size=3):
        super().__init__()
        self.convs = nn.ModuleList([weight_norm(nn.Conv1d(channels, channels, kernel_size)) for _ in range(3)])
        self.convs.apply(init_weights)

    def forward(self, x):
        for convolution in self.convs:
            x = convolution(x) + x
        return x
