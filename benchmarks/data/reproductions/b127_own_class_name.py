"""The test for "Conv" in the class name matches the discriminator itself, which has no weight."""

from torch import nn


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:  # bug
        m.weight.data.normal_(0.0, 0.02)
    elif classname.find("BatchNorm2d") != -1:
        m.weight.data.normal_(1.0, 0.02)
        m.bias.data.fill_(0)


class ConvSeqDis(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, channels, 4), nn.BatchNorm2d(channels), nn.LeakyReLU(0.2))

    def forward(self, x):
        return self.layers(x)


def build(channels):
    net = ConvSeqDis(channels)
    net.apply(weights_init)
    return net
