"""Waves and spectrograms."""

import torch
import torch.nn.functional as F
from torch import nn

from zoo.blocks import initialize


class WaveNet(nn.Module):
    """Dilated convolutions with gates, residual and skip connections, over quantized samples."""

    def __init__(self, depth=6, width=32, levels=64, weight="default", bias=None):
        super().__init__()
        self.embed = nn.Embedding(levels, width)
        self.dilated = nn.ModuleList(nn.Conv1d(width, 2 * width, 2, dilation=2 ** (i % 5)) for i in range(depth))
        self.mix = nn.ModuleList(nn.Conv1d(width, 2 * width, 1) for _ in range(depth))
        initialize(self, weight, bias)
        self.out = nn.Sequential(nn.ReLU(), nn.Conv1d(width, width, 1), nn.ReLU(), nn.Conv1d(width, levels, 1))

    def forward(self, samples):
        x, skips = self.embed(samples).transpose(1, 2), 0
        for dilated, mix in zip(self.dilated, self.mix):
            a, b = dilated(F.pad(x, (dilated.dilation[0], 0))).chunk(2, 1)
            on, skip = mix(torch.tanh(a) * torch.sigmoid(b)).chunk(2, 1)
            x, skips = x + on, skips + skip
        return self.out(skips)


class Waves(nn.Module):
    """Strided convolutions on the raw wave, with BatchNorm or under He's scheme without it."""

    def __init__(self, depth=4, width=32, norm=True, weight="default", bias=None, act="relu"):
        super().__init__()
        layers = []
        for i in range(depth):
            layers += [nn.Conv1d(width if i else 1, width, 9 if i else 17, 2 if i < 4 else 1, 4)]
            layers += [nn.BatchNorm1d(width)] if norm else []
            layers += [nn.ReLU() if act == "relu" else nn.LeakyReLU(0.2)]
        self.layers, self.head = initialize(nn.Sequential(*layers), weight, bias), nn.Linear(width, 12)

    def forward(self, x):
        return self.head(self.layers(x).mean(-1)).log_softmax(-1)


class Separator(nn.Module):
    """An encoder, masks by dilated depthwise convolutions, and a decoder."""

    def __init__(self, depth=6, width=64, inner=32, speakers=2):
        super().__init__()
        self.encode = nn.Conv1d(1, width, 16, 8, bias=False)
        self.norm, self.narrow = nn.GroupNorm(1, width), nn.Conv1d(width, inner, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(inner, width, 1), nn.PReLU(), nn.GroupNorm(1, width),
                nn.Conv1d(width, width, 3, padding=2 ** (i % 4), dilation=2 ** (i % 4), groups=width), nn.PReLU(),
                nn.GroupNorm(1, width), nn.Conv1d(width, inner, 1),
            )
            for i in range(depth)
        )  # fmt: skip
        self.masks, self.speakers = nn.Conv1d(inner, speakers * width, 1), speakers
        self.decode = nn.ConvTranspose1d(width, 1, 16, 8, bias=False)

    def forward(self, x):
        coded = F.relu(self.encode(x))
        y = self.narrow(self.norm(coded))
        for block in self.blocks:
            y = y + block(y)
        masks = torch.sigmoid(self.masks(y)).unflatten(1, (self.speakers, -1))
        return self.decode((masks * coded[:, None]).flatten(0, 1)).unflatten(0, (-1, self.speakers))


class Vocoder(nn.Module):
    """From a spectrogram to a wave: transposed convolutions and dilated residual blocks."""

    def __init__(self, stages=2, width=64, wrapped=False, after=None):
        super().__init__()
        wrap = nn.utils.parametrizations.weight_norm if wrapped else lambda layer: layer
        self.first = wrap(nn.Conv1d(40, width, 7, padding=3))
        self.up, self.res = nn.ModuleList(), nn.ModuleList()
        for i in range(stages):
            narrow = width >> (i + 1)
            self.up.append(wrap(nn.ConvTranspose1d(2 * narrow, narrow, 8, 4, 2)))
            self.res.append(nn.ModuleList(wrap(nn.Conv1d(narrow, narrow, 3, padding=d, dilation=d)) for d in (1, 3)))
        self.last = wrap(nn.Conv1d(width >> stages, 1, 7, padding=3))
        for up in self.up if after is not None else ():
            up.weight.data.normal_(0.0, after)

    def forward(self, x):
        x = self.first(x)
        for up, res in zip(self.up, self.res):
            x = up(F.leaky_relu(x, 0.1))
            for one in res:
                x = x + one(F.leaky_relu(x, 0.1))
        return torch.tanh(self.last(F.leaky_relu(x)))


class Recognizer(nn.Module):
    """Convolutions over a spectrogram, a recurrent layer, and letters for each frame."""

    def __init__(self, layers=1, width=64, letters=30, cell="GRU"):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 16, 3, (2, 1), 1), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 16, 3, (2, 1), 1), nn.BatchNorm2d(16), nn.ReLU(),
        )  # fmt: skip
        self.rnn = getattr(nn, cell)(160, width, layers, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * width, letters)

    def forward(self, x):
        return self.head(self.rnn(self.conv(x).flatten(1, 2).transpose(1, 2))[0]).log_softmax(-1)
