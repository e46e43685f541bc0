"""Recurrent networks, transformers and convolutions over time."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from zoo.blocks import initialize, scheme


class Recurrent(nn.Module):
    """Embedding, LSTM or GRU, head."""

    def __init__(self, kind="LSTM", layers=1, both=False, vocabulary=100, width=32, forget=None):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.recurrent = getattr(nn, kind)(width, width, layers, batch_first=True, bidirectional=both)
        if forget is not None:
            self.recurrent.bias_ih_l0.data[width : 2 * width].fill_(forget)
        self.head = nn.Linear(width * (1 + both), vocabulary)

    def forward(self, tokens):
        return self.head(self.recurrent(self.embedding(tokens))[0])


class Cell(nn.Module):
    """A recurrent network by hand: h = f(W x + U h)."""

    def __init__(self, act="tanh", recurrent="orthogonal", weight="default", width=32, bias=None):
        super().__init__()
        self.input = nn.Linear(width, width)
        self.recurrent = nn.Linear(width, width, bias=False)
        self.head = nn.Linear(width, 10)
        scheme(weight)(self.input.weight)
        if bias is not None:
            nn.init.constant_(self.input.bias, bias)
        if recurrent == "identity":
            nn.init.eye_(self.recurrent.weight)
        else:
            scheme(recurrent)(self.recurrent.weight)
        self.act = getattr(torch, act)

    def forward(self, x):
        h = torch.zeros_like(x[:, 0])
        for t in range(x.shape[1]):
            h = self.act(self.input(x[:, t]) + self.recurrent(h))
        return self.head(h)


class Attention(nn.Module):
    def __init__(self, width, heads=4):
        super().__init__()
        self.qkv, self.out, self.heads = nn.Linear(width, 3 * width), nn.Linear(width, width), heads

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(batch, length, width))


class GPT(nn.Module):
    """A decoder; ``norm`` is where the normalization stands: "pre", "post" or None."""

    def __init__(
        self, depth=4, width=32, vocab_size=100, norm="pre", std=0.02, embedding=0.02, tied=True, scaled=True,
        act="gelu", rms=False,
    ):  # fmt: skip
        super().__init__()
        self.vocab_size, self.norm, self.act = vocab_size, norm, getattr(F, act)
        self.tokens, self.positions = nn.Embedding(vocab_size, width), nn.Embedding(64, width)
        self.attention = nn.ModuleList(Attention(width) for _ in range(depth))
        self.wide = nn.ModuleList(nn.Linear(width, 4 * width) for _ in range(depth))
        self.narrow = nn.ModuleList(nn.Linear(4 * width, width) for _ in range(depth))
        kind = nn.RMSNorm if rms else nn.LayerNorm
        self.norms = nn.ModuleList(kind(width) if norm else nn.Identity() for _ in range(2 * depth + 1))
        self.head = nn.Linear(width, vocab_size, bias=False)
        initialize(self, f"normal {std}" if std else "default", 0.0)
        for attention, narrow in zip(self.attention, self.narrow) if scaled and std else ():
            nn.init.normal_(attention.out.weight, std=std / math.sqrt(2 * depth))
            nn.init.normal_(narrow.weight, std=std / math.sqrt(2 * depth))
        for table in (self.tokens, self.positions):
            nn.init.normal_(table.weight, std=embedding)
        if tied:
            self.head.weight = self.tokens.weight

    def forward(self, tokens):
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]
        for i, (attention, wide, narrow) in enumerate(zip(self.attention, self.wide, self.narrow)):
            one, two = self.norms[2 * i], self.norms[2 * i + 1]
            if self.norm == "post":
                x = one(x + attention(x))
                x = two(x + narrow(self.act(wide(x))))
            else:
                x = x + attention(one(x))
                x = x + narrow(self.act(wide(two(x))))
        return self.head(self.norms[-1](x))


class Translator(nn.Module):
    """torch's own Transformer."""

    def __init__(self, width=32, layers=2, vocabulary=50):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.transformer = nn.Transformer(width, 4, layers, layers, 64, batch_first=True)
        self.head = nn.Linear(width, vocabulary)
        for parameter in self.transformer.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, tokens):
        x = self.embedding(tokens)
        return self.head(self.transformer(x, x))


class TemporalConvolutions(nn.Module):
    def __init__(self, depth=4, width=32, weight="he", residual=True):
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 3, padding=2**i, dilation=2**i) for i in range(depth))
        initialize(self, weight, 0.0)
        self.head = nn.Linear(width, 10)
        self.residual = residual

    def forward(self, x):
        x = x.transpose(1, 2)
        for layer in self.layers:
            y = F.relu(layer(x))
            x = x + y if self.residual else y
        return self.head(x.mean(-1))


class TextCNN(nn.Module):
    def __init__(self, vocabulary=100, width=32):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=0)
        self.branches = nn.ModuleList(nn.Conv1d(width, 32, size) for size in (2, 3, 4))
        self.head = nn.Linear(96, 5)

    def forward(self, tokens):
        x = self.embedding(tokens).transpose(1, 2)
        return self.head(torch.cat([F.relu(branch(x)).amax(-1) for branch in self.branches], -1))


class Pointer(nn.Module):
    """Encoder and decoder with additive attention."""

    def __init__(self, vocabulary=50, width=32):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.encoder = nn.GRU(width, width, batch_first=True)
        self.decoder = nn.GRU(width, width, batch_first=True)
        self.query, self.key, self.score = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, 1)
        self.head = nn.Linear(2 * width, vocabulary)

    def forward(self, tokens):
        memory, state = self.encoder(self.embedding(tokens))
        out, _ = self.decoder(self.embedding(tokens), state)
        score = self.score(torch.tanh(self.query(out)[:, :, None] + self.key(memory)[:, None])).squeeze(-1)
        return self.head(torch.cat([out, score.softmax(-1) @ memory], -1))


class Experts(nn.Module):
    """A mixture of experts with stacked weights and a router."""

    def __init__(self, experts=4, width=32, depth=2):
        super().__init__()
        self.router = nn.ModuleList(nn.Linear(width, experts, bias=False) for _ in range(depth))
        self.up = nn.ParameterList(nn.Parameter(torch.randn(experts, width, 64) * width**-0.5) for _ in range(depth))
        self.down = nn.ParameterList(nn.Parameter(torch.randn(experts, 64, width) * 64**-0.5) for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        for router, up, down, norm in zip(self.router, self.up, self.down, self.norms):
            y = norm(x)
            each = torch.einsum("beh,ehd->bed", F.silu(torch.einsum("bd,edh->beh", y, up)), down)
            x = x + (router(y).softmax(-1)[..., None] * each).sum(1)
        return self.head(x)
