"""A gain is passed where Kaiming's initializer takes the slope of a leaky ReLU."""

from torch import nn
from torch.nn.init import calculate_gain, kaiming_normal_


def he_init(layer, nonlinearity="conv2d", param=None):
    gain = calculate_gain(nonlinearity, param)
    kaiming_normal_(layer.weight, a=gain)  # bug


def fixed(layer, nonlinearity="leaky_relu", slope=0.2):
    kaiming_normal_(layer.weight, a=slope, nonlinearity=nonlinearity)


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3)
        he_init(self.conv, "leaky_relu", 0.2)
