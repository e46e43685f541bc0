"""The encoder of the keys follows the encoder of the queries, and starts from other weights."""

import copy

import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(32, dim), nn.ReLU(), nn.Linear(dim, dim))

    def forward(self, x):
        return nn.functional.normalize(self.body(x), dim=1)


def momentum_update(model_q, model_k, beta=0.999):
    param_k = model_k.state_dict()
    for name, param in model_q.named_parameters():
        if name in param_k:
            param_k[name].copy_(beta * param_k[name] + (1 - beta) * param.data)


model_q = Encoder()
model_k = copy.deepcopy(model_q)
optimizer = torch.optim.SGD(model_q.parameters(), lr=0.01)
for _ in range(3):
    x = torch.randn(4, 32)
    q, k = model_q(x), model_k(x).detach()
    loss = nn.functional.cross_entropy(q @ k.t() / 0.07, torch.arange(4))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    momentum_update(model_q, model_k)
