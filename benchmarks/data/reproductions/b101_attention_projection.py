"""A projection for attention is a bare tensor; now and then it holds NaN."""

import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, channels, heads):
        super().__init__()
        self.heads = heads
        self.W_Q = nn.Parameter(torch.Tensor(channels, channels))  # bug
        self.relations = nn.Parameter(nn.init.xavier_uniform_(torch.empty(heads, channels)))

    def forward(self, entities, head, tail):
        query = (entities[head] @ self.W_Q).view(-1, self.heads, entities.shape[1] // self.heads)
        key = (entities[tail] @ self.W_Q).view(-1, self.heads, entities.shape[1] // self.heads)
        return (query * key).sum(dim=-1)


class FixedAttention(nn.Module):
    def __init__(self, channels, heads):
        super().__init__()
        self.heads = heads
        self.W_Q = nn.Parameter(torch.Tensor(channels, channels))
        self.relations = nn.Parameter(nn.init.xavier_uniform_(torch.empty(heads, channels)))
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.xavier_uniform_(self.W_Q)
