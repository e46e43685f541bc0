"""A decoder is made from the list of the encoder's layers, and shares them."""

import torch
from torch import nn


def block(channels):
    return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


class SegNet(nn.Module):
    def __init__(self, num_classes, in_channels=3, width=32, depth=3):
        super().__init__()
        self.stem = nn.Conv2d(in_channels, width, 3, padding=1)
        encoder = [block(width) for _ in range(depth)]
        self.encoder = nn.Sequential(*encoder)
        decoder = encoder
        decoder = [layer for layer in reversed(decoder)]
        self.decoder = nn.Sequential(*decoder)  # wrong
        self.head = nn.Conv2d(width, num_classes, 1)

    def forward(self, x):
        x = self.encoder(torch.relu(self.stem(x)))
        return self.head(self.decoder(x))


model = SegNet(5)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model(torch.rand(2, 3, 8, 8)).mean().backward()
optimizer.step()
