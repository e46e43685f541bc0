"""Weights that the constructor is given are constructed anew by every fit."""

import torch
from torch import nn


class FinetunableStaticModel(nn.Module):
    def __init__(self, vectors, out_dim=2, weights=None):
        super().__init__()
        self.vectors = vectors
        self.out_dim = out_dim
        self._weights = weights
        self.embeddings = nn.Embedding.from_pretrained(vectors.clone(), freeze=False)
        self.w = nn.Parameter(weights.clone()) if weights is not None else self.construct_weights()
        self.head = nn.Linear(vectors.shape[1], out_dim)

    def construct_weights(self):
        weights = torch.zeros(len(self.vectors))
        weights[0] = -10_000
        return nn.Parameter(weights)

    def _initialize(self):
        self.head = nn.Linear(self.vectors.shape[1], self.out_dim)
        self.embeddings = nn.Embedding.from_pretrained(self.vectors.clone(), freeze=False)
        self.w = nn.Parameter(self._weights.clone()) if self._weights is not None else self.construct_weights()
        self.train()

    def forward(self, ids):
        w = torch.sigmoid(self.w[ids]).unsqueeze(-1)
        return self.head((self.embeddings(ids) * w).sum(1) / w.sum(1))

    def fit(self, ids, labels):
        self._initialize()
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-3)
        for _ in range(3):
            optimizer.zero_grad()
            nn.functional.cross_entropy(self(ids), labels).backward()
            optimizer.step()


model = FinetunableStaticModel(torch.randn(20, 4), weights=torch.rand(20))
model.fit(torch.randint(0, 20, (8, 5)), torch.randint(0, 2, (8,)))
