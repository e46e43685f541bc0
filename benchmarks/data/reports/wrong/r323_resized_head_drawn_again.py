"""A head is resized with its weights; the new layer has no mark that it is initialized, and is drawn again."""

import torch
from torch import nn


class Base(nn.Module):
    def post_init(self):
        for module in self.modules():
            if not getattr(module, "_is_initialized", False):
                self._init_weights(module)
                module._is_initialized = True

    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            module.weight.data.normal_(mean=0.0, std=0.02)


class LM(Base):
    def __init__(self, vocab=16, dim=8):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.lm_head = nn.Linear(dim, vocab, bias=False)
        self.post_init()

    def resize_head(self, tokens):
        old = self.lm_head
        new = nn.Linear(old.in_features, tokens, bias=False)
        n = min(old.out_features, tokens)
        new.weight.data[:n, :] = old.weight.data[:n, :]  # wrong
        self.lm_head = new

    def forward(self, tokens):
        return self.lm_head(self.embed(tokens))


model = LM()
model.load_state_dict(torch.load("lm.pt"))
model.resize_head(20)
model.post_init()
