"""The first row is zeroed, whichever row is the padding."""

import torch
from torch import nn


class Word2Vec(nn.Module):
    def __init__(self, vocab_size, embedding_size, padding_idx):
        super().__init__()
        self.ivectors = nn.Embedding(vocab_size, embedding_size, padding_idx=padding_idx)
        self.ivectors.weight = nn.Parameter(  # wrong
            torch.cat(
                [
                    torch.zeros(1, embedding_size),
                    torch.empty(vocab_size - 1, embedding_size).uniform_(-0.5 / embedding_size, 0.5 / embedding_size),
                ]
            )
        )

    def forward(self, i):
        return self.ivectors(i)
