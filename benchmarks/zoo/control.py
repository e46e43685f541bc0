"""Reinforcement learning: policies, critics, and models of the world."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from zoo.blocks import ACTIVATIONS, initialize


class Impala(nn.Module):
    """Residual blocks on frames, without normalization, before a policy and a value."""

    def __init__(self, widths=(16, 32), hidden=64, orthogonal=False):
        super().__init__()
        before, stages = 4, []
        for width in widths:
            stages.append(
                nn.ModuleList(
                    [nn.Conv2d(before, width, 3, padding=1)] + [nn.Sequential(*self.block(width)) for _ in range(2)]
                )
            )
            before = width
        self.stages = nn.ModuleList(stages)
        self.hidden = nn.Linear(before * (32 >> len(widths)) ** 2, hidden)
        if orthogonal:
            initialize(self, "orthogonal_relu", 0.0)
        self.policy, self.value = nn.Linear(hidden, 6), nn.Linear(hidden, 1)
        nn.init.orthogonal_(self.policy.weight, gain=0.01)

    @staticmethod
    def block(width):
        return nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        for first, *blocks in self.stages:
            x = F.max_pool2d(first(x), 3, 2, 1)
            for block in blocks:
                x = x + block(x)
        x = F.relu(self.hidden(F.relu(x).flatten(1)))
        return self.policy(x), self.value(x)


class Soft(nn.Module):
    """SAC: an actor that draws an action, and two critics of it."""

    def __init__(self, depth=2, width=64, act="relu", last=None):
        super().__init__()
        self.actor = self.net(24, 8, depth, width, act)
        self.critics = nn.ModuleList(self.net(28, 1, depth, width, act) for _ in range(2))
        for net in (self.actor, *self.critics) if last is not None else ():
            nn.init.uniform_(net[-1].weight, -last, last)
            nn.init.uniform_(net[-1].bias, -last, last)

    @staticmethod
    def net(inputs, outputs, depth, width, act):
        sizes = [inputs] + [width] * depth
        layers = [part for a, b in zip(sizes, sizes[1:]) for part in (nn.Linear(a, b), ACTIVATIONS[act]())]
        return nn.Sequential(*layers, nn.Linear(width, outputs))

    def forward(self, x):
        mean, spread = self.actor(x).chunk(2, -1)
        action = torch.tanh(mean + spread.clamp(-5, 2).exp() * torch.randn_like(mean))
        both = torch.cat([x, action], -1)
        return action, self.critics[0](both), self.critics[1](both)


class Noisy(nn.Module):
    """A linear layer with learned noise on its weights."""

    def __init__(self, inputs, outputs, sigma=0.5):
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight, self.bias = (
            nn.Parameter(torch.empty(*s).uniform_(-bound, bound)) for s in ((outputs, inputs), (outputs,))
        )
        self.spread, self.shift = (nn.Parameter(torch.full(s, sigma * bound)) for s in ((outputs, inputs), (outputs,)))

    def forward(self, x):
        one, two = (torch.randn(size).sign() * torch.randn(size).abs().sqrt() for size in reversed(self.weight.shape))
        return F.linear(x, self.weight + self.spread * two[:, None] * one, self.bias + self.shift * two)


class Distribution(nn.Module):
    """Dueling streams of noisy layers over the atoms of a return."""

    def __init__(self, width=64, atoms=21, actions=4, noisy=True, depth=1):
        super().__init__()
        layer = Noisy if noisy else nn.Linear
        self.body = nn.Sequential(
            *(part for i in range(depth) for part in (nn.Linear(width if i else 24, width), nn.ReLU()))
        )
        self.value = nn.Sequential(layer(width, width), nn.ReLU(), layer(width, atoms))
        self.advantage = nn.Sequential(layer(width, width), nn.ReLU(), layer(width, atoms * actions))
        self.actions = actions

    def forward(self, x):
        x = self.body(x)
        value, advantage = self.value(x)[:, None], self.advantage(x).unflatten(-1, (self.actions, -1))
        return (value + advantage - advantage.mean(1, keepdim=True)).log_softmax(-1)


class Decisions(nn.Module):
    """A decision transformer: a causal transformer over states, that tells the next action."""

    def __init__(self, depth=3, width=32, heads=4):
        super().__init__()
        self.state, self.place = nn.Linear(32, width), nn.Parameter(torch.randn(1, 10, width) * 0.02)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, 2 * width, batch_first=True, norm_first=True, dropout=0.0)
            for _ in range(depth)
        )
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 6)

    def forward(self, x):
        x = self.state(x) + self.place
        ahead = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        for layer in self.layers:
            x = layer(x, ahead)
        return self.head(self.norm(x))


class World(nn.Module):
    """A recurrent model of the world with categorical latents, and a decoder."""

    def __init__(self, width=64, groups=4, classes=8, norm=True):
        super().__init__()
        code = groups * classes
        self.encode = nn.Sequential(nn.Linear(32, width), nn.LayerNorm(width) if norm else nn.Identity(), nn.SiLU())
        self.post, self.cell = nn.Linear(2 * width, code), nn.GRUCell(code, width)
        self.decode = nn.Sequential(nn.Linear(width + code, width), nn.SiLU(), nn.Linear(width, 32))
        self.groups, self.width = groups, width

    def forward(self, x):
        state, told = torch.zeros(len(x), self.width), []
        for t in range(x.shape[1]):
            scores = self.post(torch.cat([state, self.encode(x[:, t])], -1)).unflatten(-1, (self.groups, -1))
            code = scores.softmax(-1).flatten(1)
            told.append(self.decode(torch.cat([state, code], -1)))
            state = self.cell(code, state)
        return torch.stack(told, 1)
