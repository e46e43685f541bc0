"""A general initializer zeroes the bias of an extractor's layer that has none."""

from functools import partial

import numpy as np
import torch
import torch.nn as nn


class Extractor(nn.Module):
    def __init__(self, inputs, features):
        super().__init__()
        self.linear = nn.Linear(inputs, features, bias=False)

    def forward(self, x):
        return self.linear(x).relu()


class Policy(nn.Module):
    def __init__(self, inputs, actions, features=32):
        super().__init__()
        self.features_extractor = Extractor(inputs, features)
        self.action_net = nn.Linear(features, actions)
        self.value_net = nn.Linear(features, 1)
        module_gains = {self.features_extractor: np.sqrt(2), self.action_net: 0.01, self.value_net: 1}
        for module, gain in module_gains.items():
            module.apply(partial(self.init_weights, gain=gain))

    @staticmethod
    def init_weights(module: nn.Module, gain: float = 1) -> None:
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            nn.init.orthogonal_(module.weight, gain=gain)
            if module.bias is not None:
                module.bias.data.fill_(0.0)

    def forward(self, x):
        x = self.features_extractor(x)
        return self.action_net(x), self.value_net(x)


policy = Policy(4, 2)
