"""Single mistakes, each in a model that is otherwise sound."""

import copy
import os

import torch
import torch.nn.functional as F
from torch import nn

from zoo.blocks import initialize


class Sound(nn.Module):
    """Four linear layers under He's scheme, to make one mistake in."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(64, 64) for _ in range(4))
        self.head = nn.Linear(64, 10)
        initialize(self.layers, "he", 0.0)

    def forward(self, x):
        for layer in self.layers:
            x = F.relu(layer(x))
        return self.head(x)


class Bias(Sound):
    """The bias of one layer, or of all, at a constant."""

    def __init__(self, value=-10.0, only=None):
        super().__init__()
        for i, layer in enumerate(self.layers):
            if only is None or only == i:
                nn.init.constant_(layer.bias, value)


class OneLayer(Sound):
    """One hidden layer under another scheme."""

    def __init__(self, weight, only=1):
        super().__init__()
        initialize(self.layers[only], weight, 0.0)


class Raw(Sound):
    def __init__(self, part=False):
        super().__init__()
        self.gain = nn.Parameter(torch.Tensor(64))
        if part:
            self.gain.data[:32].fill_(1.0)

    def forward(self, x):
        return super().forward(x * self.gain)


class Written(Sound):
    """NaN, infinities or enormous numbers, written by the constructor."""

    def __init__(self, value="nan"):
        super().__init__()
        self.layers[1].weight.data[0].fill_(float(value))


class Clones(nn.Module):
    """Ensemble members that are deep copies of one."""

    def __init__(self, members=4):
        super().__init__()
        first = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        self.members = nn.ModuleList(copy.deepcopy(first) for _ in range(members))

    def forward(self, x):
        return torch.stack([member(x) for member in self.members])


class Padding(nn.Module):
    def __init__(self, scheme="xavier_normal_"):
        super().__init__()
        self.embedding = nn.Embedding(50, 32, padding_idx=0)
        self.head = nn.Linear(32, 5)
        getattr(nn.init, scheme)(self.embedding.weight)

    def forward(self, tokens):
        return self.head(self.embedding(tokens).mean(1))


class Gains(nn.Module):
    """Normalization gains drawn around zero by an initializer that was meant for weights."""

    def __init__(self, kind="BatchNorm1d", std=0.02):
        super().__init__()
        norm = getattr(nn, kind)
        self.layers = nn.Sequential(
            nn.Linear(64, 64), norm(64), nn.ReLU(), nn.Linear(64, 64), norm(64), nn.ReLU(), nn.Linear(64, 10)
        )
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=std)

    def forward(self, x):
        return self.layers(x)


class Derived(Sound):
    """An initialization that weight normalization computes anew at the next forward."""

    def __init__(self, old=True):
        super().__init__()
        norm = nn.utils.weight_norm if old else nn.utils.parametrizations.weight_norm
        for i in range(4):
            self.layers[i] = norm(nn.Linear(64, 64))
            nn.init.kaiming_normal_(self.layers[i].weight)


class Early(nn.Module):
    """``apply`` before the submodules it is meant for exist."""

    def __init__(self, depth=12):
        super().__init__()
        self.apply(self.draw)
        self.layers = nn.ModuleList(nn.Linear(64, 64) for _ in range(depth))
        self.head = nn.Linear(64, 10)

    @staticmethod
    def draw(module):
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)

    def forward(self, x):
        for layer in self.layers:
            x = F.relu(layer(x))
        return self.head(x)


class Late(nn.Module):
    """A generic ``apply`` after a residual network had scaled its branches down."""

    def __init__(self, depth=24):
        super().__init__()
        self.one = nn.ModuleList(nn.Linear(64, 64) for _ in range(depth))
        self.two = nn.ModuleList(nn.Linear(64, 64) for _ in range(depth))
        self.head = nn.Linear(64, 10)
        for two in self.two:
            nn.init.zeros_(two.weight)
        self.apply(Early.draw)

    def forward(self, x):
        for one, two in zip(self.one, self.two):
            x = x + two(F.relu(one(x)))
        return self.head(x)


class Unseeded(Sound):
    def __init__(self):
        super().__init__()
        noise = torch.frombuffer(bytearray(os.urandom(64 * 64)), dtype=torch.uint8).view(64, 64)
        self.layers[0].weight.data.copy_((noise / 255 - 0.5) * 0.6)


class Copied(nn.Module):
    """A convolutional ensemble of heads that begin alike."""

    def __init__(self, heads=3):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU())
        self.heads = nn.ModuleList(nn.Linear(16, 10) for _ in range(heads))
        for head in self.heads[1:]:
            head.load_state_dict(self.heads[0].state_dict())

    def forward(self, x):
        x = self.stem(x).mean((2, 3))
        return torch.stack([head(x) for head in self.heads])
