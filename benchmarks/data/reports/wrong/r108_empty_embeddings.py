"""Position tables and projections of raw memory that no initializer writes."""

import torch
from torch import nn


class TextTower(nn.Module):
    def __init__(self, vocab, width, context, embed_dim):
        super().__init__()
        self.token_embedding = nn.Embedding(vocab, width)
        self.positional_embedding = nn.Parameter(torch.empty(context, width))  # wrong
        self.layer = nn.TransformerEncoderLayer(width, 4)
        self.text_projection = nn.Parameter(torch.empty(width, embed_dim))

    def forward(self, text):
        x = self.token_embedding(text) + self.positional_embedding
        return self.layer(x)[:, -1] @ self.text_projection


TextTower(100, 16, 8, 4)
