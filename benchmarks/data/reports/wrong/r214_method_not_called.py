"""A segmentation network with a method that initializes it, which its constructor does not call."""

import torch
from torch import nn


class FCN(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.score = nn.Conv2d(8, classes, 1)

    def forward(self, x):
        return self.score(self.conv(x).relu())

    def init_weight(self):  # wrong
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)
                m.bias.data.zero_()


if __name__ == "__main__":
    model = FCN()
    print(model(torch.ones(1, 3, 8, 8)).shape)
