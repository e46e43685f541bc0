"""A router's own initializer, which runs after `to_empty`, writes the weight of its gate and not the bias."""

import torch
from torch import nn


class Router(nn.Module):
    def __init__(self, dim, experts):
        super().__init__()
        self.gate = nn.Linear(dim, experts, bias=True)  # wrong

    def forward(self, x):
        return self.gate(x).softmax(-1)

    def init_weights(self, init_std):
        nn.init.trunc_normal_(self.gate.weight, mean=0.0, std=init_std)


with torch.device("meta"):
    router = Router(8, 4)
router.to_empty(device="cpu")
router.init_weights(0.02)
print(router(torch.ones(1, 8)))
