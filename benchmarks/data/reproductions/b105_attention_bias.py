"""The weights are initialized, the optional bias is forgotten."""

import torch
from torch import nn


class FeatureAttention(nn.Module):
    def __init__(self, features, window, use_bias=True):
        super().__init__()
        self.use_bias = use_bias
        self.linear = nn.Linear(2 * window, window)
        self.a = nn.Parameter(torch.empty((window, 1)))
        nn.init.xavier_uniform_(self.a.data, gain=1.414)
        if self.use_bias:
            self.bias = nn.Parameter(torch.empty(features, features))  # bug

    def forward(self, pairs):
        scores = torch.matmul(torch.tanh(self.linear(pairs)), self.a).squeeze(-1)
        return scores + self.bias if self.use_bias else scores


class FixedFeatureAttention(nn.Module):
    def __init__(self, features, window, use_bias=True):
        super().__init__()
        self.use_bias = use_bias
        if self.use_bias:
            self.bias = nn.Parameter(torch.zeros(features, features))
