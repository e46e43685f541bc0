"""A tie of two weights is lost when memory is given to a model built on the meta device."""

import torch
from torch import nn


class GPT(nn.Module):
    def __init__(self, vocab, width, tie=True):
        super().__init__()
        self.wte = nn.Embedding(vocab, width)
        self.h = nn.Linear(width, width)
        self.lm_head = nn.Linear(width, vocab, bias=False)
        if tie:
            self.wte.weight = self.lm_head.weight

    def forward(self, i):
        return self.lm_head(self.h(self.wte(i)).relu())


def build():
    with torch.device("meta"):
        model = GPT(10, 4)
    model = model.to_empty(device="cpu")
    model.wte.weight = model.lm_head.weight
    for p in model.parameters():
        nn.init.normal_(p, std=0.02)
    return model


build()
