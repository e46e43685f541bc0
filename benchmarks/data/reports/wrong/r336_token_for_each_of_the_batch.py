"""A token and position weights have the batch's size: each place of a batch learns its own."""

import torch
from torch import nn

BATCH_SIZE, NUM_PATCHES, EMBED_DIM = 4, 9, 16


class PosEmbedding(nn.Module):
    def __init__(self):
        super().__init__()
        self.class_token = nn.Parameter(torch.randn(BATCH_SIZE, 1, EMBED_DIM))  # wrong
        self.pos_embedding = nn.Parameter(torch.randn(BATCH_SIZE, NUM_PATCHES + 1, EMBED_DIM))

    def forward(self, x):
        return torch.cat([self.class_token, x], dim=1) + self.pos_embedding


PosEmbedding()(torch.randn(BATCH_SIZE, NUM_PATCHES, EMBED_DIM))
