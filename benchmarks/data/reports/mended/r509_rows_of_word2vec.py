"""A table with a padding row is drawn as a whole, the padding row too."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class SG(nn.Module):
    def __init__(self, size, window_size, negative):
        super().__init__()
        self.size = size
        self.window_size = window_size
        self.negative = negative
        self.emb0_lookup = nn.Embedding(100, size, padding_idx=0, sparse=True)
        self.emb1_lookup = nn.Embedding(100, size, padding_idx=0, sparse=True)
        self.emb0_lookup.weight.data.uniform_(-0.5 / size, 0.5 / size)
        self.emb0_lookup.weight.data[0].zero_()
        self.emb1_lookup.weight.data.zero_()

    def forward(self, words, contexts, negatives):
        w = self.emb0_lookup(words)
        c = self.emb1_lookup(contexts)
        n = self.emb1_lookup(negatives).neg()
        positive = F.logsigmoid((w * c).sum(-1))
        negative = F.logsigmoid((n @ w.unsqueeze(-1)).squeeze(-1)).sum(-1)
        return -(positive + negative).mean()


model = SG(16, 5, 5)
