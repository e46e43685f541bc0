"""Item 1: what constructors hand to initializers, and what must not be taken for the model's fault."""

import enum
import math

import numpy as np
import torch
import torch.utils.checkpoint
from torch import nn


def layer_init(layer, std=np.sqrt(2), bias=np.float32(0.0)):
    """As agents for policy gradients are written."""
    nn.init.orthogonal_(layer.weight, gain=std)
    nn.init.constant_(layer.bias, bias)  # finds[DeadActor]: INI704
    return layer


class ActorCritic(nn.Module):
    def __init__(self, observations=8, actions=4):
        super().__init__()
        self.critic = nn.Sequential(
            layer_init(nn.Linear(observations, 64)),
            nn.Tanh(),
            layer_init(nn.Linear(64, 64)),
            nn.Tanh(),
            layer_init(nn.Linear(64, 1), std=np.float64(1.0)),
        )
        self.actor_mean = nn.Sequential(
            layer_init(nn.Linear(observations, 64)),
            nn.Tanh(),
            layer_init(nn.Linear(64, 64)),
            nn.Tanh(),
            layer_init(nn.Linear(64, actions), std=np.float32(0.01)),
        )
        self.actor_logstd = nn.Parameter(torch.zeros(1, actions))

    def forward(self, x):
        mean = self.actor_mean(x)
        return mean, self.actor_logstd.expand_as(mean), self.critic(x)


class Shape(str, enum.Enum):
    RELU = "relu"
    LEAKY = "leaky_relu"


class Scale(float, enum.Enum):
    HEAD = 0.01


class EnumConfigured(nn.Module):
    def __init__(self, shape=Shape.LEAKY):
        super().__init__()
        self.body = nn.ModuleList(nn.Linear(32, 32) for _ in range(4))
        for layer in self.body:
            nn.init.kaiming_normal_(layer.weight, a=np.float64(0.2), nonlinearity=shape)
            nn.init.zeros_(layer.bias)
        self.head = nn.Linear(32, 3)
        nn.init.normal_(self.head.weight, std=Scale.HEAD)

    def forward(self, x):
        for layer in self.body:
            x = nn.functional.leaky_relu(layer(x), 0.2)
        return self.head(x)


class TensorGains(nn.Module):
    def __init__(self):
        super().__init__()
        gain = torch.tensor(2.0).sqrt()
        self.first, self.second = nn.Linear(16, 48), nn.Linear(48, 5)
        nn.init.xavier_normal_(self.first.weight, gain=gain)
        nn.init.uniform_(self.second.weight, -gain.item() / math.sqrt(48), gain / math.sqrt(48))
        nn.init.trunc_normal_(self.second.bias, mean=np.float16(0), std=np.float64(1e-3), a=-np.inf, b=np.inf)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


class OwnGenerator(nn.Module):
    """Draws from generators that the constructor seeds: torch's and numpy's."""

    def __init__(self, seed=7):
        super().__init__()
        generator = torch.Generator().manual_seed(seed + torch.initial_seed() % 100)
        self.mix = nn.Linear(24, 24)
        nn.init.kaiming_uniform_(self.mix.weight, nonlinearity="relu", generator=generator)
        rng = np.random.default_rng(torch.initial_seed())
        self.table = nn.Parameter(torch.from_numpy(rng.normal(0, 0.2, size=(24, 6))).float())

    def forward(self, x):
        return torch.relu(self.mix(x)) @ self.table


class Factorized(nn.Module):
    """Low-rank factors of a drawn matrix, by a decomposition whose last bits depend on the machine."""

    def __init__(self, width=48, rank=12):
        super().__init__()
        u, s, v = torch.linalg.svd(torch.randn(width, width) / math.sqrt(width))
        self.down = nn.Parameter((s[:rank].sqrt()[:, None] * v[:rank]).contiguous())
        self.up = nn.Parameter(u[:, :rank] * s[:rank].sqrt())
        self.out = nn.Linear(width, 4)

    def forward(self, x):
        return self.out(torch.relu(x @ self.down.T @ self.up.T))


class Energy(nn.Module):
    """An energy whose forces the forward takes itself, with its inner layers recomputed in the backward."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(12, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
        self.energy = nn.Linear(64, 1)

    def forward(self, positions):
        with torch.enable_grad():
            if not positions.requires_grad:
                positions = positions.detach().requires_grad_(True)
            hidden = torch.utils.checkpoint.checkpoint(self.inner, positions, use_reentrant=False)
            energy = self.energy(hidden).sum()
            forces = -torch.autograd.grad(energy, positions, create_graph=True)[0]
        return energy, forces


class Unseeded(nn.Module):
    """The generator of numpy is new for each model, and nothing seeds it."""

    def __init__(self):
        super().__init__()
        rng = np.random.default_rng()
        draws = rng.standard_normal((20, 20)) / np.sqrt(20)
        self.weight = nn.Parameter(torch.as_tensor(draws, dtype=torch.float32))  # finds[Unseeded]: INI603
        self.out = nn.Linear(20, 2)

    def forward(self, x):
        return self.out(torch.relu(x @ self.weight))


class LoudCritic(nn.Module):
    """The square of the gain in place of its root, for each of six layers."""

    def __init__(self):
        super().__init__()
        layers = []
        for _ in range(6):
            layer = nn.Linear(64, 64)
            nn.init.orthogonal_(layer.weight, gain=np.square(4.0))  # finds[LoudCritic]: INI702 INI402
            nn.init.zeros_(layer.bias)
            layers += [layer, nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.Linear(64, 1))

    def forward(self, x):
        return self.net(x)


class Unknown(nn.Module):
    """A name that torch's initializers do not have."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(16, 16)
        nn.init.kaiming_normal_(self.fc.weight, nonlinearity="gelu")  # finds[Unknown]: INI003 INI314

    def forward(self, x):
        return nn.functional.gelu(self.fc(x))


class FromLogits(nn.Module):
    """A logarithm of numpy's gives the bias of the last layer, of a share that is zero."""

    def __init__(self, share=0.0):
        super().__init__()
        self.body = nn.Linear(16, 32)
        self.out = nn.Linear(32, 1)
        with np.errstate(divide="ignore"):
            nn.init.constant_(self.out.bias, np.log(share))  # finds[FromLogits]: INI601

    def forward(self, x):
        return self.out(torch.relu(self.body(x)))


class DeadActor(nn.Module):
    """The offset of every hidden layer is one of numpy's numbers, far below zero."""

    def __init__(self):
        super().__init__()
        self.hidden = layer_init(nn.Linear(16, 64))
        self.deeper = layer_init(nn.Linear(64, 64), bias=np.int64(-20))
        self.policy = layer_init(nn.Linear(64, 3), std=0.01)

    def forward(self, x):
        return self.policy(torch.relu(self.deeper(torch.relu(self.hidden(x)))))


MODELS = {
    "ActorCritic": "64,8",
    "EnumConfigured": "32,32",
    "TensorGains": "32,16",
    "OwnGenerator": "32,24",
    "Factorized": "32,48",
    "Energy": "32,12",
    "Unseeded": "32,20",
    "LoudCritic": "32,64",
    "Unknown": "32,16",
    "FromLogits": "32,16",
    "DeadActor": "64,16",
}
