"""State spaces and other linear recurrences, over sequences of shape (batch, steps, width)."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Diagonal(nn.Module):
    """S4D: a diagonal state, convolved with the sequence by its impulse response."""

    def __init__(self, width, states=16):
        super().__init__()
        self.decay = nn.Parameter(torch.log(0.5 * torch.ones(width, states)))
        self.turn = nn.Parameter(math.pi * torch.arange(states).float().repeat(width, 1))
        self.mix = nn.Parameter(torch.randn(width, states, 2) * math.sqrt(0.5))
        self.step = nn.Parameter(torch.rand(width) * math.log(100.0) + math.log(0.001))
        self.direct, self.out = nn.Parameter(torch.randn(width)), nn.Linear(width, 2 * width)

    def forward(self, x):
        step = self.step.exp()[:, None]
        poles = torch.complex(-self.decay.exp(), self.turn) * step
        times = torch.arange(x.shape[1])
        gains = torch.view_as_complex(self.mix) * (poles.exp() - 1) / poles * step
        kernel = 2 * torch.einsum("ws,wst->wt", gains, (poles[..., None] * times).exp()).real
        size = 2 * x.shape[1]
        y = torch.fft.irfft(torch.fft.rfft(x.transpose(1, 2), n=size) * torch.fft.rfft(kernel, n=size), n=size)
        y = y[..., : x.shape[1]].transpose(1, 2) + self.direct * x
        return F.glu(self.out(F.gelu(y)))


class Unit(nn.Module):
    """LRU: complex eigenvalues in a ring, and a normalization of what enters."""

    def __init__(self, width, states=32):
        super().__init__()
        radius, phase = torch.rand(states) * 0.19 + 0.8, torch.rand(states) * 3.14
        self.radius, self.phase = nn.Parameter(torch.log(-torch.log(radius))), nn.Parameter(torch.log(phase))
        self.gain = nn.Parameter(torch.log(torch.sqrt(1 - radius**2)))
        self.inward = nn.Parameter(torch.randn(2, states, width) / math.sqrt(2 * width))
        self.outward = nn.Parameter(torch.randn(2, width, states) / math.sqrt(states))
        self.direct, self.mix = nn.Parameter(torch.randn(width)), nn.Linear(width, width)

    def forward(self, x):
        poles = torch.polar((-self.radius.exp()).exp(), self.phase.exp())
        u = torch.complex(x, torch.zeros_like(x)) @ torch.complex(*self.inward).t() * self.gain.exp()
        state, found = torch.zeros_like(u[:, 0]), []
        for t in range(x.shape[1]):
            state = poles * state + u[:, t]
            found.append((state @ torch.complex(*self.outward).t()).real)
        return self.mix(F.gelu(torch.stack(found, 1) + self.direct * x))


class Selective(nn.Module):
    """Mamba: a short convolution, and a scan whose steps are computed from the input."""

    def __init__(self, width, states=8, rank=4):
        super().__init__()
        inner = 2 * width
        self.inward, self.outward = nn.Linear(width, 2 * inner, bias=False), nn.Linear(inner, width, bias=False)
        self.conv = nn.Conv1d(inner, inner, 4, groups=inner, padding=3)
        self.select, self.spread = nn.Linear(inner, rank + 2 * states, bias=False), nn.Linear(rank, inner)
        step = torch.exp(torch.rand(inner) * math.log(100.0) + math.log(0.001))
        with torch.no_grad():
            self.spread.bias.copy_(step + torch.log(-torch.expm1(-step)))
        self.decay = nn.Parameter(torch.log(torch.arange(1.0, states + 1)).repeat(inner, 1))
        self.direct, self.sizes = nn.Parameter(torch.ones(inner)), (rank, states, states)

    def forward(self, x):
        u, gate = self.inward(x).chunk(2, -1)
        u = F.silu(self.conv(u.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2))
        step, b, c = self.select(u).split(self.sizes, -1)
        step = F.softplus(self.spread(step))
        state, found = torch.zeros(len(x), *self.decay.shape), []
        for t in range(x.shape[1]):
            keep = torch.exp(-step[:, t, :, None] * self.decay.exp())
            state = keep * state + (step * u)[:, t, :, None] * b[:, t, None]
            found.append((state * c[:, t, None]).sum(-1))
        return self.outward((torch.stack(found, 1) + self.direct * u) * F.silu(gate))


class Retention(nn.Module):
    """Attention without softmax, with a decay for each head."""

    def __init__(self, width, heads=4):
        super().__init__()
        self.qkvg, self.out = nn.Linear(width, 4 * width, bias=False), nn.Linear(width, width, bias=False)
        self.norm, self.heads = nn.GroupNorm(heads, width), heads
        nn.init.xavier_uniform_(self.qkvg.weight, gain=2**-0.5)
        nn.init.xavier_uniform_(self.out.weight, gain=2**-1)

    def forward(self, x):
        q, k, v, g = self.qkvg(x).chunk(4, -1)
        q, k, v = (one.unflatten(-1, (self.heads, -1)).transpose(1, 2) for one in (q, k, v))
        apart = torch.arange(x.shape[1])[:, None] - torch.arange(x.shape[1])
        decay = (1 - 2.0 ** (-5 - torch.arange(self.heads)))[:, None, None] ** apart.clamp(min=0) * (apart >= 0)
        y = ((q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5 * decay @ v).transpose(1, 2).flatten(-2)
        return self.out(F.silu(g) * self.norm(y.flatten(0, 1)).view_as(x))


class Gated(nn.Module):
    """minGRU: a gate and a candidate that do not depend on the state."""

    def __init__(self, width):
        super().__init__()
        self.gate, self.new, self.out = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x):
        z, new = torch.sigmoid(self.gate(x)), self.new(x)
        state, found = torch.zeros_like(x[:, 0]), []
        for t in range(x.shape[1]):
            state = (1 - z[:, t]) * state + z[:, t] * new[:, t]
            found.append(state)
        return self.out(torch.stack(found, 1))


LAYERS = {"diagonal": Diagonal, "unit": Unit, "selective": Selective, "retention": Retention, "gated": Gated}


class States(nn.Module):
    """A stack of one kind, before a classifier of the sequence or of the next of 64 tokens."""

    def __init__(self, kind, depth=3, width=32, language=False, norm=True):
        super().__init__()
        self.embed = nn.Embedding(64, width) if language else nn.Linear(32, width)
        self.layers = nn.ModuleList(LAYERS[kind](width) for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(width) if norm else nn.Identity() for _ in range(depth + 1))
        self.language, self.head = language, nn.Linear(width, 64 if language else 10)

    def forward(self, x):
        x = self.embed(x)
        for norm, layer in zip(self.norms, self.layers):
            x = x + layer(norm(x))
        x = self.norms[-1](x)
        return self.head(x if self.language else x.mean(1))
