"""Item 7: defects of the families INI4, INI5 and INI7 whose advice has to cure; and twins under that advice."""

import torch
import torch.nn.functional as F
from torch import nn


def deep(depth, draw, act=nn.ReLU, width=64):
    layers = []
    for _ in range(depth):
        layer = nn.Linear(width, width)  # finds[deep_default]: INI408 INI701
        draw(layer)
        layers += [layer, act()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def xavier(layer):
    nn.init.xavier_normal_(layer.weight)  # finds[deep_xavier]: INI401 INI701
    nn.init.zeros_(layer.bias)


def deep_xavier():
    return deep(14, xavier)


def he(layer):
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)


def deep_he():
    return deep(14, he)


def deep_default():
    return deep(14, lambda layer: None)


class Deconvolutions(nn.Module):
    """A generator without normalization, drawn as if it had one; or with, as DCGAN's."""

    def __init__(self, normalized):
        super().__init__()
        sizes = [64, 64, 64, 64, 64, 64]
        layers = [nn.ConvTranspose2d(32, 64, 4, 1, 0)]
        for i, o in zip(sizes[:-1], sizes[1:]):
            layers += [nn.BatchNorm2d(i)] if normalized else []
            layers += [nn.ReLU(), nn.ConvTranspose2d(i, o, 3, 1, 1)]
        self.main = nn.Sequential(*layers, nn.ReLU(), nn.Conv2d(64, 3, 3, 1, 1), nn.Tanh())
        for m in self.modules():
            if isinstance(m, nn.ConvTranspose2d | nn.Conv2d):
                nn.init.normal_(m.weight, 0.0, 0.002 if not normalized else 0.02)  # finds[faint_generator]: INI701
                nn.init.zeros_(m.bias)

    def forward(self, z):
        return self.main(z)


def faint_generator():
    return Deconvolutions(False)


def dcgan():
    return Deconvolutions(True)


class Selu(nn.Module):
    """Self-normalizing layers: LeCun's scheme, or torch's default with a factor of one's own."""

    def __init__(self, factor=None):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(80, 80) for _ in range(10))
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
            nn.init.zeros_(layer.bias)
            if factor is not None:
                layer.weight.data *= factor  # finds[loud_selu]: INI702
        self.head = nn.Linear(80, 4)

    def forward(self, x):
        for layer in self.layers:
            x = F.selu(layer(x))
        return self.head(x)


def loud_selu():
    return Selu(6.0)


def sound_selu():
    return Selu()


class Saturated(nn.Module):
    """Sigmoid units in eight layers, at Xavier's scheme without a gain: nothing of the input is left."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(64, 64) for _ in range(8))
        for layer in self.layers:
            nn.init.xavier_uniform_(layer.weight)  # finds[Saturated]: INI701
        self.head = nn.Linear(64, 2)

    def forward(self, x):
        for layer in self.layers:
            x = torch.sigmoid(layer(x))
        return self.head(x)


class Lora(nn.Module):
    def __init__(self, base, rank=4, std=0.0):
        super().__init__()
        self.base = base
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features))
        self.lora_B = nn.Parameter(torch.empty(base.out_features, rank))
        nn.init.normal_(self.lora_A, std=std)  # finds[both_zero]: INI502
        nn.init.zeros_(self.lora_B)  # finds[both_zero]: INI502

    def forward(self, x):
        return self.base(x) + x @ self.lora_A.T @ self.lora_B.T


def both_zero():
    return nn.Sequential(Lora(nn.Linear(16, 32)), nn.ReLU(), Lora(nn.Linear(32, 4)))


def one_random():
    return nn.Sequential(Lora(nn.Linear(16, 32), std=0.1), nn.ReLU(), Lora(nn.Linear(32, 4), std=0.1))


class Alike(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3), nn.Linear(16, 3)
        for one in (self.a, self.b, self.c):
            nn.init.ones_(one.weight)  # finds[Alike]: INI501 INI702
            nn.init.zeros_(one.bias)
            one.weight.data /= one.weight[0].numel()  # finds[Alike]: INI501

    def forward(self, x):
        return self.c(torch.tanh(self.b(torch.tanh(self.a(x)))).mean((2, 3)))


class Padded(nn.Module):
    """The row of the padding is drawn over, and the sum over a bag of words counts it."""

    def __init__(self, again=False):
        super().__init__()
        self.words = nn.Embedding(60, 24, padding_idx=0)
        nn.init.uniform_(self.words.weight, -0.1, 0.1)  # finds[padded]: INI505
        if again:
            with torch.no_grad():
                self.words.weight[0].zero_()
        self.out = nn.Linear(24, 4)

    def forward(self, ids):
        return self.out(self.words(ids).sum(1))


def padded():
    return Padded()


def padded_again():
    return Padded(True)


class Gains(nn.Module):
    """A generic draw reaches the gains of the normalizations."""

    def __init__(self, every=True):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(16, 32), nn.LayerNorm(32), nn.ReLU(), nn.Linear(32, 32), nn.LayerNorm(32))
        self.out = nn.Linear(32, 2)
        for name, p in self.named_parameters():
            if "weight" in name and (every or p.dim() > 1):
                nn.init.normal_(p, 0.0, 0.02)  # finds[drawn_gains]: INI506

    def forward(self, x):
        return self.out(torch.relu(self.body(x)))


def drawn_gains():
    return Gains()


def kept_gains():
    return Gains(False)


MODELS = {
    "deep_xavier": "32,64",
    "deep_he": "32,64",
    "deep_default": "32,64",
    "faint_generator": "32,32,1,1",
    "dcgan": "32,32,1,1",
    "loud_selu": "32,80",
    "sound_selu": "32,80",
    "Saturated": "32,64",
    "both_zero": "32,16",
    "one_random": "32,16",
    "Alike": "32,3,12,12",
    "padded": "int64 32,10",
    "padded_again": "int64 32,10",
    "drawn_gains": "32,16",
    "kept_gains": "32,16",
}
