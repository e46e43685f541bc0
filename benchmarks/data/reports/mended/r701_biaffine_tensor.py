"""The matrix of a biaffine layer is whatever was in memory, often huge, so that the logits are NaN."""

import torch
from torch import nn


class Biaffine(nn.Module):
    def __init__(self, in_size, out_size, bias_x=True, bias_y=True):
        super().__init__()
        self.bias_x = bias_x
        self.bias_y = bias_y
        self.out_size = out_size
        self.U = torch.nn.Parameter(torch.randn(in_size + int(bias_x), out_size, in_size + int(bias_y)) * 0.01)

    def forward(self, x, y):
        if self.bias_x:
            x = torch.cat((x, torch.ones_like(x[..., :1])), dim=-1)
        if self.bias_y:
            y = torch.cat((y, torch.ones_like(y[..., :1])), dim=-1)
        return torch.einsum("bxi,ioj,byj->bxyo", x, self.U, y)


class Tagger(nn.Module):
    def __init__(self, vocabulary, hidden, tags):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, hidden)
        self.lstm = nn.LSTM(hidden, hidden // 2, batch_first=True, bidirectional=True)
        self.start = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU())
        self.end = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU())
        self.biaffine = Biaffine(hidden, tags)

    def forward(self, ids):
        states, _ = self.lstm(self.embedding(ids))
        return self.biaffine(self.start(states), self.end(states))
