"""Graphs, control, recommendation, sets, adapters."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from zoo.blocks import initialize, scheme


def ring(nodes):
    """The adjacency of a ring with self loops, normalized."""
    return (torch.eye(nodes) + torch.eye(nodes).roll(1, 0) + torch.eye(nodes).roll(-1, 0)) / 3


class GraphConvolutions(nn.Module):
    """Kipf & Welling: Glorot weights, two layers."""

    def __init__(self, depth=2, width=32, weight="xavier_uniform", residual=False):
        super().__init__()
        self.weights = nn.ParameterList(nn.Parameter(torch.empty(width, width)) for _ in range(depth))
        for each in self.weights:
            scheme(weight)(each)
        self.head, self.residual = nn.Linear(width, 7), residual

    def forward(self, x):
        for weight in self.weights:
            y = F.relu(ring(x.shape[-2]) @ (x @ weight))
            x = x + y if self.residual else y
        return self.head(x).log_softmax(-1)


class GraphAttention(nn.Module):
    def __init__(self, width=32, heads=4):
        super().__init__()
        self.project = nn.Linear(width, heads * width, bias=False)
        self.source = nn.Parameter(torch.empty(1, heads, width))
        self.target = nn.Parameter(torch.empty(1, heads, width))
        for parameter in (self.project.weight, self.source, self.target):
            nn.init.xavier_uniform_(parameter)
        self.heads, self.head = heads, nn.Linear(heads * width, 7)

    def forward(self, x):
        h = self.project(x).unflatten(-1, (self.heads, -1))
        score = F.leaky_relu(
            (h * self.source).sum(-1)[..., :, None, :] + (h * self.target).sum(-1)[..., None, :, :], 0.2
        )
        return self.head(F.elu(torch.einsum("...ijh,...jhd->...ihd", score.softmax(-2), h).flatten(-2)))


class Isomorphism(nn.Module):
    """GIN: sums of neighbours through perceptrons with BatchNorm."""

    def __init__(self, depth=3, width=32):
        super().__init__()
        self.nets = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, width))
            for _ in range(depth)
        )
        self.eps = nn.Parameter(torch.zeros(depth))
        self.head = nn.Linear(width, 2)

    def forward(self, x):
        for net, eps in zip(self.nets, self.eps):
            x = (1 + eps) * x + 3 * ring(x.shape[1]) @ x
            x = F.relu(net(x.flatten(0, 1)).view_as(x))
        return self.head(x.mean(1))


class Pixels(nn.Module):
    """DQN: three convolutions and two linear layers, at torch's default or orthogonal as PPO has it."""

    def __init__(self, weight="default", bias=None, dueling=False):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(4, 16, 8, 4), nn.ReLU(), nn.Conv2d(16, 32, 4, 2), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU(),
            nn.Flatten(), nn.Linear(512, 128), nn.ReLU(),
        )  # fmt: skip
        initialize(self, weight, bias)
        self.advantage, self.value = nn.Linear(128, 6), nn.Linear(128, 1) if dueling else None

    def forward(self, x):
        x = self.features(x)
        if self.value is None:
            return self.advantage(x)
        advantage = self.advantage(x)
        return self.value(x) + advantage - advantage.mean(-1, keepdim=True)


class Actor(nn.Module):
    """PPO: orthogonal weights, a policy head with gain 0.01."""

    def __init__(self, act="tanh"):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(24, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        initialize(self, "orthogonal_relu", 0.0)
        self.policy, self.value = nn.Linear(64, 4), nn.Linear(64, 1)
        nn.init.orthogonal_(self.policy.weight, gain=0.01)
        nn.init.orthogonal_(self.value.weight, gain=1.0)
        self.spread = nn.Parameter(torch.zeros(4))

    def forward(self, x):
        x = self.body(x)
        return self.policy(x), self.spread.exp(), self.value(x)


class Recommender(nn.Module):
    """Embeddings of users and items, a product and a perceptron."""

    def __init__(self, users=50, items=50, width=16, std=0.01):
        super().__init__()
        self.users, self.items = nn.Embedding(users, width), nn.Embedding(items, width)
        nn.init.normal_(self.users.weight, std=std)
        nn.init.normal_(self.items.weight, std=std)
        self.net = nn.Sequential(nn.Linear(2 * width, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
        initialize(self.net, "xavier_uniform", 0.0)
        self.head = nn.Linear(16 + width, 1)

    def forward(self, pairs):
        user, item = self.users(pairs[:, 0]), self.items(pairs[:, 1])
        return self.head(torch.cat([user * item, self.net(torch.cat([user, item], -1))], -1))


class Factorization(nn.Module):
    def __init__(self, fields=50, width=8):
        super().__init__()
        self.linear, self.factors = nn.Embedding(fields, 1), nn.Embedding(fields, width)
        nn.init.zeros_(self.linear.weight)
        nn.init.normal_(self.factors.weight, std=0.01)

    def forward(self, tokens):
        v = self.factors(tokens)
        return self.linear(tokens).sum((1, 2)) + 0.5 * (v.sum(1).square() - v.square().sum(1)).sum(-1)


class Sets(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.phi = nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.rho = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, x):
        return self.rho(self.phi(x).sum(1))


class Perceiver(nn.Module):
    """Learned queries attend to the input."""

    def __init__(self, queries=8, width=32, depth=3):
        super().__init__()
        self.queries = nn.Parameter(torch.randn(queries, width) * 0.02)
        self.cross = nn.MultiheadAttention(width, 4, batch_first=True)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, 64, batch_first=True, norm_first=True) for _ in range(depth)
        )
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x):
        q = self.queries.expand(len(x), -1, -1)
        q = q + self.cross(self.norm(q), x, x)[0]
        for layer in self.layers:
            q = layer(q)
        return self.head(q.mean(1))


class Adapted(nn.Module):
    """A perceptron with low-rank adapters: A random and B zero."""

    def __init__(self, depth=3, width=64, rank=4, a="he", b="constant 0.0"):
        super().__init__()
        self.layers = initialize(nn.ModuleList(nn.Linear(width, width) for _ in range(depth)), "he", 0.0)
        self.a = nn.ParameterList(nn.Parameter(torch.empty(rank, width)) for _ in range(depth))
        self.b = nn.ParameterList(nn.Parameter(torch.empty(width, rank)) for _ in range(depth))
        for one, two in zip(self.a, self.b):
            scheme(a)(one)
            scheme(b)(two)
        for parameter in self.layers.parameters():
            parameter.requires_grad_(False)

    def forward(self, x):
        for layer, a, b in zip(self.layers, self.a, self.b):
            x = F.relu(layer(x) + x @ a.t() @ b.t())
        return x


class Twin(nn.Module):
    """A projector and a predictor with BatchNorm, as BYOL has them."""

    def __init__(self, width=64):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(32, width), nn.ReLU(), nn.Linear(width, width))
        self.projector = nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 32))
        self.predictor = nn.Sequential(nn.Linear(32, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 32))

    def forward(self, x):
        z = self.projector(self.encoder(x))
        return F.normalize(self.predictor(z), dim=-1), F.normalize(z, dim=-1)


class Physics(nn.Module):
    """A physics-informed network: Xavier and tanh."""

    def __init__(self, depth=6, width=48, weight="xavier", bias=0.0):
        super().__init__()
        layers = []
        for before in (2, *[width] * (depth - 1)):
            layers += [nn.Linear(before, width), nn.Tanh()]
        self.layers = initialize(nn.Sequential(*layers, nn.Linear(width, 1)), weight, bias)

    def forward(self, x):
        return self.layers(x)


class StateSpace(nn.Module):
    """A diagonal linear recurrence with a log-spaced decay and a gate, in the manner of S4D and Mamba."""

    def __init__(self, width=32, states=8):
        super().__init__()
        self.decay = nn.Parameter(torch.log(torch.arange(1.0, states + 1)).repeat(width, 1))
        step = torch.exp(torch.rand(width) * (math.log(0.1) - math.log(0.001)) + math.log(0.001))
        self.step = nn.Parameter(step + torch.log(-torch.expm1(-step)))
        self.inward, self.outward = nn.Linear(width, 2 * width), nn.Linear(width, width)
        self.b, self.c = nn.Parameter(torch.randn(width, states)), nn.Parameter(torch.randn(width, states))
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        u, gate = self.inward(self.norm(x)).chunk(2, -1)
        step = F.softplus(self.step)
        keep = torch.exp(-step[:, None] * self.decay.exp())
        state, found = torch.zeros(len(x), *keep.shape), []
        for t in range(x.shape[1]):
            state = keep * state + step[:, None] * self.b * u[:, t, :, None]
            found.append((state * self.c).sum(-1))
        return x + self.outward(torch.stack(found, 1) * F.silu(gate))
