"""A base class has a method that initializes; one of the classes does not call it as its siblings do."""

import torch.nn as nn


class SubModule(nn.Module):
    def __init__(self):
        super().__init__()

    def weight_init(self):
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out")


class Features(SubModule):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.weight_init()

    def forward(self, x):
        return self.conv(x).relu()


class Pruner(SubModule):
    def __init__(self):
        super().__init__()
        self.features = Features()
        self.classify = nn.Conv2d(8, 1, 1)
        self.weight_init()

    def forward(self, x):
        return self.classify(self.features(x))


Pruner()
