"""An initializer draws the whole table, with the row that padding_idx had zeroed."""

import torch
from torch import nn


class RandomNormal:
    def __init__(self, mean=0.0, std=1.0):
        self.mean, self.std = mean, std

    def __call__(self, vocabulary, dim, padding_idx=None):
        table = nn.Embedding(vocabulary, dim, padding_idx=padding_idx)
        nn.init.normal_(table.weight, self.mean, self.std)  # bug
        return table


class FixedRandomNormal(RandomNormal):
    def __call__(self, vocabulary, dim, padding_idx=None):
        table = nn.Embedding(vocabulary, dim, padding_idx=padding_idx)
        nn.init.normal_(table.weight, self.mean, self.std)
        if padding_idx is not None:
            nn.init.zeros_(table.weight[padding_idx])
        return table
