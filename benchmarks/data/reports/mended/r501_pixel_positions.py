"""The learned positions of the pixels are memory that nothing writes."""

import torch
from torch import nn


class Decoder(nn.Module):
    def __init__(self, hidden_dim=32, num_queries=10, meta_pos_size=4):
        super().__init__()
        self.num_queries = num_queries
        self.query_feat = nn.Embedding(num_queries, hidden_dim)
        self.query_embed = nn.Embedding(num_queries, hidden_dim)
        self.meta_pos_embed = nn.Parameter(torch.empty(1, hidden_dim, meta_pos_size, meta_pos_size))
        nn.init.trunc_normal_(self.meta_pos_embed, std=0.02)
        self.attention = nn.MultiheadAttention(hidden_dim, 4)

    def forward(self, x):
        batch, _, height, width = x.shape
        pos = nn.functional.interpolate(self.meta_pos_embed, size=(height, width), mode="bilinear", align_corners=False)
        keys = (x + pos).flatten(2).permute(2, 0, 1)
        queries = (self.query_feat.weight + self.query_embed.weight).unsqueeze(1).repeat(1, batch, 1)
        return self.attention(queries, keys, keys)[0]


decoder = Decoder()
print(decoder(torch.randn(2, 32, 8, 8)).mean())
