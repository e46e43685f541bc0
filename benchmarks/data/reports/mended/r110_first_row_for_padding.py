"""The first row is zeroed, whichever row is the padding."""

import torch
from torch import nn


class Word2Vec(nn.Module):
    def __init__(self, vocab_size, embedding_size, padding_idx):
        super().__init__()
        self.ivectors = nn.Embedding(vocab_size, embedding_size, padding_idx=padding_idx)
        nn.init.uniform_(self.ivectors.weight, -0.5 / embedding_size, 0.5 / embedding_size)
        nn.init.zeros_(self.ivectors.weight.data[padding_idx])

    def forward(self, i):
        return self.ivectors(i)
