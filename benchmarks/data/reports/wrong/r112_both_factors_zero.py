"""A wrapper zeroes one factor of a low-rank update whose other factor is zero already."""

import math

import torch
from torch import nn


class LowRank(nn.Module):
    def __init__(self, base, r):
        super().__init__()
        self.base = base
        self.lora_A = nn.Linear(base.in_features, r, bias=False)
        nn.init.kaiming_uniform_(self.lora_A.weight, a=math.sqrt(5))
        self.lora_B = nn.Linear(r, base.out_features, bias=False)
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, x):
        return self.base(x) + self.lora_B(self.lora_A(x))


class Wrapper(nn.Module):
    def __init__(self, model, r=2, keep_original=True):
        super().__init__()
        for i, layer in enumerate(model):
            if isinstance(layer, nn.Linear):
                new = LowRank(layer, r)
                if keep_original:
                    nn.init.zeros_(new.lora_A.weight)  # wrong
                model[i] = new
        self.model = model

    def forward(self, x):
        return self.model(x)


Wrapper(nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)))
