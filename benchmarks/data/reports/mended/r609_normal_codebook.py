"""A codebook is drawn from N(0, 1) where the paper and its reference draw it uniformly."""

import torch
from torch import nn


class EuclideanCodebook(nn.Module):
    def __init__(self, dim, codebook_size, decay=0.8, eps=1e-5):
        super().__init__()
        self.decay = decay
        self.eps = eps
        self.codebook_size = codebook_size
        embed = torch.empty(codebook_size, dim)
        nn.init.kaiming_uniform_(embed)
        self.register_buffer("cluster_size", torch.zeros(codebook_size))
        self.register_buffer("embed", embed)
        self.register_buffer("embed_avg", embed.clone())

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1])
        index = torch.cdist(flat, self.embed).argmin(-1)
        onehot = nn.functional.one_hot(index, self.codebook_size).type_as(flat)
        if self.training:
            self.cluster_size.lerp_(onehot.sum(0), 1 - self.decay)
            self.embed_avg.lerp_(onehot.t() @ flat.detach(), 1 - self.decay)
            total = self.cluster_size.sum()
            smoothed = (self.cluster_size + self.eps) / (total + self.codebook_size * self.eps) * total
            self.embed.copy_(self.embed_avg / smoothed.unsqueeze(1))
        return self.embed[index].view_as(x), index


class VectorQuantize(nn.Module):
    def __init__(self, dim, codebook_size):
        super().__init__()
        self.project_in = nn.Linear(dim, dim)
        self._codebook = EuclideanCodebook(dim, codebook_size)

    def forward(self, x):
        x = self.project_in(x)
        quantized, index = self._codebook(x)
        return x + (quantized - x).detach(), index


quantizer = VectorQuantize(16, 64)
print(quantizer(torch.randn(4, 10, 16))[0].shape)
