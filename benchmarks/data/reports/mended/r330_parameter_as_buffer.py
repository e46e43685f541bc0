"""What counts the used codes is a buffer that is made a parameter, of a size that is not the table's."""

import torch
import torch.nn as nn


class VectorQuantizer(nn.Module):
    def __init__(self, n_e, e_dim):
        super().__init__()
        self.n_e, self.e_dim = n_e, e_dim
        self.embedding = nn.Embedding(n_e, e_dim)
        self.embedding.weight.data.uniform_(-1.0 / n_e, 1.0 / n_e)
        self.register_buffer("codebook_used", torch.zeros(n_e))

    def forward(self, z):
        d = torch.cdist(z, self.embedding.weight)
        index = d.argmin(1)
        if self.training:
            n = index.shape[0]
            self.codebook_used[:-n] = self.codebook_used[n:].clone()
            self.codebook_used[-n:] = index
        return self.embedding(index)
