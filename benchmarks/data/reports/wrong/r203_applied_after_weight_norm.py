"""Convolutions are wrapped by weight_norm as they are made; what draws their weights afterwards is lost."""

from torch import nn
from torch.nn.utils import weight_norm


def init_weights(m, mean=0.0, std=0.01):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        m.weight.data.normal_(mean, std)  # wrong


class ResBlock(nn.Module):
    def __init__(self, channels, kernel_size=3, dilation=(1, 3)):
        super().__init__()
        self.convs1 = nn.ModuleList(
            [weight_norm(nn.Conv1d(channels, channels, kernel_size, 1, dilation=d, padding=d)) for d in dilation]
        )
        self.convs1.apply(init_weights)

    def forward(self, x):
        for c in self.convs1:
            x = x + c(nn.functional.leaky_relu(x, 0.1))
        return x


ResBlock(4)
