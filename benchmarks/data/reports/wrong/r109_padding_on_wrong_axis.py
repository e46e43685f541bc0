"""A stack of embedding tables: the padding index is applied to the axis of the tables."""

import torch
import torch.nn.functional as F
from torch import nn


class StackedEmbedding(nn.Module):
    def __init__(self, stack, num, dim, padding_idx=None):
        super().__init__()
        self.padding_idx = padding_idx
        self.weight = nn.Parameter(torch.empty(stack, num, dim))
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.normal_(self.weight)
        if self.padding_idx is not None:
            with torch.no_grad():
                self.weight[self.padding_idx].fill_(0)  # wrong

    def forward(self, x):
        return torch.stack([F.embedding(x, w, self.padding_idx) for w in self.weight])


StackedEmbedding(3, 10, 4, padding_idx=0)
