"""Position tables and projections of raw memory that no initializer writes."""

import torch
from torch import nn


class TextTower(nn.Module):
    def __init__(self, vocab, width, context, embed_dim):
        super().__init__()
        self.token_embedding = nn.Embedding(vocab, width)
        self.positional_embedding = nn.Parameter(torch.empty(context, width))
        self.layer = nn.TransformerEncoderLayer(width, 4)
        self.text_projection = nn.Parameter(torch.empty(width, embed_dim))
        nn.init.normal_(self.positional_embedding, std=0.01)
        nn.init.normal_(self.text_projection, std=width**-0.5)

    def forward(self, text):
        x = self.token_embedding(text) + self.positional_embedding
        return self.layer(x)[:, -1] @ self.text_projection


TextTower(100, 16, 8, 4)
