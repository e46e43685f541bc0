"""A function that goes by class names takes the model itself for a convolution."""

import numpy as np
import torch.nn as nn


def conv_init(m):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        nn.init.xavier_uniform_(m.weight, gain=np.sqrt(2))  # wrong
        nn.init.constant_(m.bias, 0)


class F3Conv3FC(nn.Module):
    def __init__(self, outputs, inputs):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(inputs, 32, 5, stride=1, padding=2),
            nn.Softplus(),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(32, 64, 5, stride=1, padding=2),
            nn.Softplus(),
            nn.MaxPool2d(kernel_size=3, stride=2),
        )
        self.classifier = nn.Sequential(nn.Linear(64 * 7 * 7, 100), nn.Softplus(), nn.Linear(100, outputs))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


net = F3Conv3FC(10, 3)
net.apply(conv_init)
