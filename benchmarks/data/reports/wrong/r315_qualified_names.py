"""Names of parameters are qualified by their modules, so that an equal name is never found."""

import math

from torch import nn


class MLP(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.c_fc = nn.Linear(dim, 4 * dim)
        self.c_proj = nn.Linear(4 * dim, dim)

    def forward(self, x):
        return self.c_proj(nn.functional.gelu(self.c_fc(x)))


class CausalLM(nn.Module):
    def __init__(self, vocab=32, dim=16, layers=4):
        super().__init__()
        self.layers_count = layers
        self.wte = nn.Embedding(vocab, dim)
        self.layers = nn.ModuleList([MLP(dim) for _ in range(layers)])
        self.head = nn.Linear(dim, vocab)
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            module.weight.data.normal_(mean=0.0, std=0.02)
            if module.bias is not None:
                module.bias.data.zero_()
        elif isinstance(module, nn.Embedding):
            module.weight.data.normal_(mean=0.0, std=0.02)
        elif isinstance(module, CausalLM):
            for name, p in module.named_parameters():
                if name == "c_proj.weight":  # wrong
                    p.data.normal_(mean=0.0, std=0.02 / math.sqrt(2 * self.layers_count))

    def forward(self, tokens):
        x = self.wte(tokens)
        for layer in self.layers:
            x = x + layer(x)
        return self.head(x)
