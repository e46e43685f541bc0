"""A model is built on the meta device; its own initializer writes most parameters, and not the scalars added later."""

import torch
from torch import nn


class GPT(nn.Module):
    def __init__(self, vocab=64, dim=16, layers=2):
        super().__init__()
        self.wte = nn.Embedding(vocab, dim)
        self.h = nn.ModuleList([nn.Linear(dim, dim, bias=False) for _ in range(layers)])
        self.lm_head = nn.Linear(dim, vocab, bias=False)
        self.resid_lambdas = nn.Parameter(torch.ones(layers))
        self.smear_lambda = nn.Parameter(torch.zeros(1))  # wrong

    def init_weights(self):
        nn.init.normal_(self.wte.weight, mean=0.0, std=1.0)
        nn.init.normal_(self.lm_head.weight, mean=0.0, std=0.001)
        bound = 3**0.5 * self.wte.weight.size(1) ** -0.5
        for block in self.h:
            nn.init.uniform_(block.weight, -bound, bound)
        self.resid_lambdas.fill_(1.0)

    def forward(self, tokens):
        x = self.wte(tokens)
        x = x + self.smear_lambda * x.roll(1, 1)
        for i, block in enumerate(self.h):
            x = self.resid_lambdas[i] * x + block(x)
        return self.lm_head(x)


with torch.device("meta"):
    model = GPT()
model.to_empty(device="cpu")
with torch.no_grad():
    model.init_weights()
print(model(torch.zeros(1, 4, dtype=torch.long)).mean())
