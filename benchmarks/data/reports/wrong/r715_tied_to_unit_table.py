"""The weight of the output is that of an embedding drawn from N(0, 1): the first logits are far too large."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.RMSNorm(width)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(self.norm(x))))


class GPT2LLM(nn.Module):
    def __init__(self, vocabulary=1000, width=256, depth=4, use_weight_tying=True):
        super().__init__()
        self.wte = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.norm = nn.RMSNorm(width)
        self.lm_head = nn.Linear(width, vocabulary, bias=False)
        if use_weight_tying:
            self.wte.weight = self.lm_head.weight  # wrong
        self.initialize()

    def initialize(self):
        for block in self.blocks:
            for name, parameter in block.named_parameters():
                if parameter.dim() > 1:
                    nn.init.trunc_normal_(parameter, mean=0.0, std=0.02)
        nn.init.normal_(self.wte.weight, mean=0.0, std=1.0)

    def forward(self, ids):
        x = self.wte(ids)
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.norm(x))


model = GPT2LLM()
ids = torch.randint(1000, (2, 16))
loss = nn.functional.cross_entropy(model(ids).flatten(0, 1), ids.flatten())
loss.backward()
