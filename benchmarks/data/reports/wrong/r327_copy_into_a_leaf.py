"""Pretrained vectors are copied into a weight while gradients are recorded."""

import torch
import torch.nn as nn


class TreeLSTM(nn.Module):
    def __init__(self, vocab_size, in_dim, mem_dim):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, in_dim, padding_idx=0)
        self.out = nn.Linear(in_dim, mem_dim)

    def forward(self, inputs):
        return self.out(self.emb(inputs))


model = TreeLSTM(20, 8, 4)
emb = torch.zeros(20, 8, dtype=torch.float)
emb.normal_(0, 0.05)
emb[0].zero_()
model.emb.weight.copy_(emb)  # wrong
