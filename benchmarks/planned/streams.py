"""Item 3: where the signal is lost, and where a branch is only small on purpose."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Attention(nn.Module):
    """Causal attention of several heads, written out."""

    def __init__(self, dim=64, heads=4, std=None):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.o = nn.Linear(dim, dim)
        for one in (self.q, self.k):
            nn.init.normal_(one.weight, std=std or dim**-0.5)  # finds[sharp_attention]: INI702 INI701 INI407
            nn.init.zeros_(one.bias)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = (one(x).view(b, n, self.heads, -1).transpose(1, 2) for one in (self.q, self.k, self.v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(d // self.heads)
        return self.o((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, n, d))


class Encoder(nn.Module):
    """Blocks that normalize first, with a scale for each branch or none."""

    def __init__(self, depth=4, dim=64, std=None, layer_scale=None):
        super().__init__()
        self.embed = nn.Linear(16, dim)
        self.attend = nn.ModuleList(Attention(dim, std=std) for _ in range(depth))
        self.feed = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim)) for _ in range(depth)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2 * depth))
        self.scales = nn.ParameterList(
            nn.Parameter(torch.full((dim,), layer_scale or 1.0)) for _ in range(2 * depth if layer_scale else 0)
        )
        self.head = nn.Linear(dim, 5)

    def scaled(self, i, x):
        return x * self.scales[i] if len(self.scales) else x

    def forward(self, x):
        x = self.embed(x)
        for i, (attend, feed) in enumerate(zip(self.attend, self.feed)):
            x = x + self.scaled(2 * i, attend(self.norms[2 * i](x)))
            x = x + self.scaled(2 * i + 1, feed(self.norms[2 * i + 1](x)))
        return self.head(x.mean(1))


def sharp_attention():
    return Encoder(std=1.0)


def plain_encoder():
    return Encoder()


def layer_scaled():
    return Encoder(layer_scale=1e-5)


class Packed(nn.Module):
    """One matrix for queries, keys and values, and torch's own attention; the draw lacks the width."""

    def __init__(self, dim=64, heads=4, sharp=True):
        super().__init__()
        self.tokens = nn.Embedding(50, dim)
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        nn.init.normal_(self.qkv.weight, std=1.0 if sharp else dim**-0.5)  # finds[sharp_packed]: INI702 INI701
        self.head = nn.Linear(dim, 50)

    def forward(self, ids):
        x = self.tokens(ids)
        b, n, d = x.shape
        q, k, v = self.qkv(self.norm(x)).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        x = x + F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, n, d)
        return self.head(x)


def sharp_packed():
    return Packed()


def calm_packed():
    return Packed(sharp=False)


class Positioned(nn.Module):
    """Tokens plus positions; a table of either is drawn much larger than the other, or not."""

    def __init__(self, token_std=0.02, position_std=0.02, dim=64):
        super().__init__()
        self.tok, self.pos = nn.Embedding(100, dim), nn.Embedding(32, dim)
        nn.init.normal_(self.tok.weight, std=token_std)
        nn.init.normal_(self.pos.weight, std=position_std)  # finds[drowned_tokens]: INI701
        self.layer = nn.TransformerEncoderLayer(dim, 4, 2 * dim, dropout=0.0, batch_first=True, norm_first=True)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, 100)

    def forward(self, ids):
        x = self.tok(ids) + self.pos(torch.arange(ids.shape[1]))
        return self.head(self.norm(self.layer(x)))


def drowned_tokens():
    return Positioned(token_std=0.002, position_std=1.0)


def even_positions():
    return Positioned()


def larger_positions():
    return Positioned(token_std=0.5, position_std=1.0)


class PatchPositions(nn.Module):
    """Patches plus a learned table of positions, drawn without a scale beside patches that are faint."""

    def __init__(self, dim=48, gain=1.0, scale=1.0):
        super().__init__()
        self.patch = nn.Conv2d(3, dim, 8, 8, bias=False)
        nn.init.xavier_uniform_(self.patch.weight.view(dim, -1), gain=gain)
        self.pos = nn.Parameter(scale * torch.randn(1, 16, dim))  # finds[drowned_patches]: INI701
        self.block = nn.TransformerEncoderLayer(dim, 4, 96, dropout=0.0, batch_first=True, norm_first=True)
        self.head = nn.Linear(dim, 10)

    def forward(self, image):
        x = self.patch(image).flatten(2).transpose(1, 2) + self.pos
        return self.head(self.block(x).mean(1))


def drowned_patches():
    return PatchPositions(gain=0.01, scale=5.0)


def sound_patches():
    return PatchPositions(scale=0.02)


class Messages(nn.Module):
    """An equivariant layer whose weights are quiet on purpose, beside a stream."""

    def __init__(self, dim=32, std=1e-3):
        super().__init__()
        self.edge = nn.Sequential(nn.Linear(2 * dim + 1, 64), nn.SiLU(), nn.Linear(64, 32), nn.SiLU())
        self.node = nn.Sequential(nn.Linear(dim + 32, 64), nn.SiLU(), nn.Linear(64, dim))
        self.shift = nn.Sequential(nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 1))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=std)

    def forward(self, h, x, edge_index):
        i, j = edge_index
        apart = x[i] - x[j]
        message = self.edge(torch.cat([h[i], h[j], (apart**2).sum(-1, keepdim=True)], dim=-1))
        x = x + torch.zeros_like(x).index_add_(0, i, apart * self.shift(message))
        gathered = h.new_zeros(len(h), 32).index_add_(0, i, message)
        return h + self.node(torch.cat([h, gathered], dim=-1)), x


class Equivariant(nn.Module):
    def __init__(self, depth=4):
        super().__init__()
        self.embed = nn.Linear(7, 32)
        self.layers = nn.ModuleList(Messages() for _ in range(depth))
        self.out = nn.Linear(32, 1)

    def forward(self, h, x, edge_index):
        h = self.embed(h)
        for layer in self.layers:
            h, x = layer(h, x, edge_index)
        return self.out(h), x


def molecule():
    return torch.randn(120, 7), torch.randn(120, 3), torch.randint(0, 120, (2, 360))


class Fire(nn.Module):
    """Squeeze, and expand in two normalized branches that are concatenated before a ReLU."""

    def __init__(self, offset=0.0):
        super().__init__()
        self.squeeze = nn.Conv2d(3, 16, 1)
        self.one = nn.Sequential(nn.Conv2d(16, 32, 1, bias=False), nn.BatchNorm2d(32))
        self.three = nn.Sequential(nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32))
        for branch in (self.one, self.three):
            nn.init.constant_(branch[1].bias, offset)  # finds[dead_fire]: INI704
        self.head = nn.Linear(64, 4)

    def forward(self, x):
        x = F.relu(self.squeeze(x))
        x = F.relu(torch.cat([self.one(x), self.three(x)], dim=1))
        return self.head(x.mean((2, 3)))


def dead_fire():
    return Fire(-10.0)


def sound_fire():
    return Fire()


class AddPool(nn.Module):
    """A shortcut that is added before the ReLU, with a pooling between; its offset turns all units off."""

    def __init__(self, offset=0.0):
        super().__init__()
        self.main = nn.Conv2d(3, 32, 3, padding=1)
        self.short = nn.Conv2d(3, 32, 1)
        nn.init.constant_(self.short.bias, offset)  # finds[dead_sum]: INI704
        self.head = nn.Linear(32, 6)

    def forward(self, x):
        x = F.max_pool2d(self.main(x) + self.short(x), 2)
        return self.head(torch.relu(x).mean((2, 3)))


def dead_sum():
    return AddPool(-15.0)


def sound_sum():
    return AddPool(0.1)


class Two(nn.Module):
    """Two blocks alone, of which each multiplies the scale by thousands."""

    def __init__(self, std=None):
        super().__init__()
        self.first, self.second = nn.Linear(256, 256), nn.Linear(256, 256)
        for one in (self.first, self.second):
            nn.init.normal_(one.weight, std=std or 256**-0.5)  # finds[two_loud]: INI702 INI407
        self.out = nn.Linear(256, 1)

    def forward(self, x):
        x = x + self.first(x)
        x = x + self.second(x)
        return self.out(x)


def two_loud():
    return Two(std=100.0)


def two_sound():
    return Two()


class Ticks(nn.Module):
    """A cell of one's own over a sequence: recurrent weights as the identity, or drawn without a scale."""

    def __init__(self, width=48, std=None):
        super().__init__()
        self.inner, self.again = nn.Linear(8, width), nn.Linear(width, width, bias=False)
        if std is None:
            nn.init.eye_(self.again.weight)
        else:
            nn.init.normal_(self.again.weight, std=std)  # finds[loud_ticks]: INI702
        self.out = nn.Linear(width, 2)

    def forward(self, x):
        state = torch.zeros(len(x), self.again.in_features)
        for now in x.unbind(1):
            state = torch.relu(self.inner(now) + self.again(state))
        return self.out(state)


def loud_ticks():
    return Ticks(std=0.8)


def identity_ticks():
    return Ticks()


class Gated(nn.Module):
    """A GRU cell and an LSTM cell, one after the other, with orthogonal recurrent weights and a forget gate at one."""

    def __init__(self):
        super().__init__()
        self.gru, self.lstm = nn.GRUCell(12, 32), nn.LSTMCell(32, 32)
        for part in self.gru.weight_hh.data.chunk(3) + self.lstm.weight_hh.data.chunk(4):
            nn.init.orthogonal_(part)
        nn.init.zeros_(self.lstm.bias_ih)
        nn.init.zeros_(self.lstm.bias_hh)
        self.lstm.bias_ih.data[32:64].fill_(1.0)
        self.out = nn.Linear(32, 3)

    def forward(self, x):
        h, hx, cx = (torch.zeros(len(x), 32) for _ in range(3))
        for now in x.unbind(1):
            h = self.gru(now, h)
            hx, cx = self.lstm(h, (hx, cx))
        return self.out(hx)


class Expansion(nn.Module):
    """The first layer of a bottleneck is sound; the second, that expands, is drawn with the variance for its std."""

    def __init__(self, std=True):
        super().__init__()
        self.down = nn.ModuleList(nn.Linear(64, 16) for _ in range(5))
        self.up = nn.ModuleList(nn.Linear(16, 64) for _ in range(5))
        for one in self.down:
            nn.init.kaiming_normal_(one.weight, nonlinearity="relu")
        for one in self.up:
            nn.init.kaiming_normal_(one.weight, nonlinearity="relu")
            if std:
                one.weight.data.mul_(12)  # finds[wide_up]: INI702

    def forward(self, x):
        for down, up in zip(self.down, self.up):
            x = torch.relu(up(torch.relu(down(x))))
        return x


def wide_up():
    return Expansion()


def sound_up():
    return Expansion(False)


MODELS = {
    "sharp_attention": "32,12,16",
    "plain_encoder": "32,12,16",
    "layer_scaled": "32,12,16",
    "sharp_packed": "int64 32,16",
    "calm_packed": "int64 32,16",
    "drowned_tokens": "int64 32,16",
    "even_positions": "int64 32,16",
    "larger_positions": "int64 32,16",
    "drowned_patches": "32,3,32,32",
    "sound_patches": "32,3,32,32",
    "Equivariant": "molecule",
    "dead_fire": "32,3,16,16",
    "sound_fire": "32,3,16,16",
    "dead_sum": "32,3,16,16",
    "sound_sum": "32,3,16,16",
    "two_loud": "32,256",
    "two_sound": "32,256",
    "loud_ticks": "32,20,8",
    "identity_ticks": "32,20,8",
    "Gated": "32,20,12",
    "wide_up": "32,64",
    "sound_up": "32,64",
}
