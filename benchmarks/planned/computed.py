"""Item 2: weights that are computed, and the parameters that make them."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm, weight_norm


class Vocoder(nn.Module):
    """Dilated convolutions under weight normalization, whose gains are set."""

    def __init__(self, channels=32, gain=None):
        super().__init__()
        self.pre = weight_norm(nn.Conv1d(8, channels, 7, padding=3))
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv1d(channels, channels, 3, padding=2**i, dilation=2**i)) for i in range(8)
        )
        self.post = weight_norm(nn.Conv1d(channels, 1, 7, padding=3))
        for conv in self.convs:
            nn.init.zeros_(conv.bias)
            if gain is not None:
                nn.init.constant_(conv.parametrizations.weight.original0, gain)  # finds[faint_vocoder]: INI701

    def forward(self, mel):
        x = self.pre(mel)
        for conv in self.convs:
            x = conv(F.leaky_relu(x, 0.1))
        return torch.tanh(self.post(F.leaky_relu(x, 0.1)))


def faint_vocoder():
    return Vocoder(gain=0.05)


def sound_vocoder():
    return Vocoder(gain=math.sqrt(2))


class Critic(nn.Module):
    """A discriminator under spectral normalization, drawn as DCGAN's."""

    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            spectral_norm(nn.Conv2d(3, 32, 4, 2, 1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(32, 64, 4, 2, 1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(64, 1, 8)),
        )

    def forward(self, image):
        return self.main(image).flatten(1)


class Equalized(nn.Module):
    """Equalized learning rate: drawn from N(0, 1), and scaled in the forward; or the scale forgotten."""

    def __init__(self, fan_in, fan_out, scaled=True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fan_out, fan_in))  # finds[unscaled_mapping]: INI702 INI407
        self.bias = nn.Parameter(torch.zeros(fan_out))
        self.scale = 1 / math.sqrt(fan_in) if scaled else 1.0

    def forward(self, x):
        return F.linear(x, self.weight * self.scale, self.bias)


def mapping(scaled):
    layers = [m for _ in range(8) for m in (Equalized(64, 64, scaled), nn.LeakyReLU(0.2))]
    return nn.Sequential(*layers)


def sound_mapping():
    return mapping(True)


def unscaled_mapping():
    return mapping(False)


class Hyper(nn.Module):
    """One network gives the weights of five layers, from an embedding of each."""

    def __init__(self, width=32, std=None):
        super().__init__()
        self.width = width
        self.codes = nn.Parameter(torch.randn(5, 16))
        self.make = nn.Linear(16, width * width)
        nn.init.zeros_(self.make.bias)
        std = std if std is not None else math.sqrt(2 / width / 16)
        nn.init.normal_(self.make.weight, std=std)  # finds[loud_hyper]: INI702

    def forward(self, x):
        for code in self.codes:
            weight = self.make(code).view(self.width, self.width)
            x = F.relu(F.linear(x, weight))
        return x


def sound_hyper():
    return Hyper()


def loud_hyper():
    return Hyper(std=1.0)


class SpectralConv2d(nn.Module):
    def __init__(self, width, modes, scale):
        super().__init__()
        self.modes = modes
        shape = (width, width, modes, modes)
        self.weights = nn.Parameter(scale * torch.rand(*shape, dtype=torch.cfloat))  # finds[loud_operator]: INI702

    def forward(self, x):
        ft = torch.fft.rfft2(x)
        out = torch.zeros_like(ft)
        m = self.modes
        out[:, :, :m, :m] = torch.einsum("bixy,ioxy->boxy", ft[:, :, :m, :m], self.weights)
        return torch.fft.irfft2(out, s=x.shape[-2:])


class Operator(nn.Module):
    """A Fourier neural operator; its spectral weights are divided by the number of channels, or not."""

    def __init__(self, width=16, depth=5, scale=None):
        super().__init__()
        scale = 1 / width**2 if scale is None else scale
        self.lift = nn.Conv2d(1, width, 1)
        self.spectral = nn.ModuleList(SpectralConv2d(width, 6, scale) for _ in range(depth))
        self.skip = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(depth))
        self.project = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        x = self.lift(x)
        for spectral, skip in zip(self.spectral, self.skip):
            x = F.gelu(spectral(x) + skip(x))
        return self.project(x)


def sound_operator():
    return Operator()


def loud_operator():
    return Operator(scale=1.0)


class Circulant(nn.Module):
    """Circulant matrices by FFT: their first row is the parameter."""

    def __init__(self, n=64, depth=6, std=None):
        super().__init__()
        std = math.sqrt(2 / n) if std is None else std
        self.rows = nn.ParameterList(nn.Parameter(torch.empty(n)) for _ in range(depth))
        for row in self.rows:
            nn.init.normal_(row, std=std)  # finds[loud_circulant]: INI702

    def forward(self, x):
        for row in self.rows:
            x = torch.relu(torch.fft.irfft(torch.fft.rfft(x) * torch.fft.rfft(row), n=x.shape[-1]))
        return x


def sound_circulant():
    return Circulant()


def loud_circulant():
    return Circulant(std=1.0)


class Flat(nn.Module):
    """All weights in one vector, as evolution strategies and equivariant layers keep them."""

    def __init__(self, width=32, depth=6, scaled=True):
        super().__init__()
        self.width, self.depth = width, depth
        values = torch.randn(depth * width * width)  # finds[loud_flat]: INI702
        if scaled:
            values *= math.sqrt(2 / width)
        self.theta = nn.Parameter(values)  # finds[loud_flat]: INI702
        self.register_buffer("order", torch.randperm(depth * width * width))

    def forward(self, x):
        for i in range(self.depth):
            part = self.order[i * self.width**2 : (i + 1) * self.width**2]
            x = torch.relu(x @ self.theta[part].view(self.width, self.width))
        return x


def sound_flat():
    return Flat()


def loud_flat():
    return Flat(scaled=False)


class LowRank(nn.Module):
    """W = B A, with both factors drawn for a product of their own."""

    def __init__(self, width=64, rank=16, std=None):
        super().__init__()
        self.a = nn.Parameter(torch.empty(rank, width))
        self.b = nn.Parameter(torch.empty(width, rank))
        nn.init.normal_(self.a, std=std or width**-0.5)  # finds[faint_low_rank]: INI701
        nn.init.normal_(self.b, std=std or math.sqrt(2 / rank))  # finds[faint_low_rank]: INI701

    def forward(self, x):
        return x @ (self.b @ self.a).T


def low_rank(std):
    return nn.Sequential(*[m for _ in range(8) for m in (LowRank(std=std), nn.ReLU())], nn.Linear(64, 3))


def sound_low_rank():
    return low_rank(None)


def faint_low_rank():
    return low_rank(0.02)


class Antisymmetric(nn.Module):
    """A parametrization of one's own."""

    def forward(self, weight):
        upper = weight.triu(1)
        return upper - upper.T


def antisymmetric():
    """Layers of a stable network: x + step * tanh(A x), A antisymmetric."""
    return Stable()


class Stable(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = nn.ModuleList(nn.Linear(32, 32) for _ in range(6))
        for layer in self.steps:
            parametrize.register_parametrization(layer, "weight", Antisymmetric())

    def forward(self, x):
        for layer in self.steps:
            x = x + 0.1 * torch.tanh(layer(x))
        return x


class MaskedLinear(nn.Linear):
    def __init__(self, fan_in, fan_out, mask):
        super().__init__(fan_in, fan_out)
        self.register_buffer("mask", mask)

    def forward(self, x):
        return F.linear(x, self.weight * self.mask, self.bias)


class Made(nn.Module):
    """A masked autoencoder for densities, at torch's default."""

    def __init__(self, size=12, hidden=48):
        super().__init__()
        degrees = [torch.arange(size), torch.arange(hidden) % (size - 1), torch.arange(hidden) % (size - 1)]
        degrees.append(torch.arange(size) - 1)
        pairs = list(zip(degrees[:-1], degrees[1:]))
        self.layers = nn.ModuleList(
            MaskedLinear(len(one), len(two), (two[:, None] >= one[None]).float()) for one, two in pairs
        )

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


class DeadMasked(Made):
    """The same, with a bias that no input overcomes."""

    def __init__(self):
        super().__init__()
        nn.init.constant_(self.layers[1].bias, -8.0)  # finds[DeadMasked]: INI704


class Standardized(nn.Conv2d):
    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        weight = weight / (weight.std((1, 2, 3), keepdim=True) * math.sqrt(weight[0].numel()) + 1e-8)
        return F.conv2d(x, weight * self.gain, self.bias, padding=1)

    def __init__(self, *args, gain=1.7, **kwargs):
        super().__init__(*args, **kwargs)
        self.gain = nn.Parameter(torch.full((self.out_channels, 1, 1, 1), gain))  # finds[faint_standardized]: INI701


def standardized(gain):
    layers = [Standardized(3, 24, 3, gain=gain), nn.ReLU()]
    for _ in range(7):
        layers += [Standardized(24, 24, 3, gain=gain), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 5))


def sound_standardized():
    return standardized(1.7)


def faint_standardized():
    return standardized(0.17)


class Ensemble(nn.Module):
    """Four networks in one, by ``torch.func``."""

    def __init__(self, std=None):
        super().__init__()
        shapes = [(64, 32), (64, 64), (64, 64), (64, 64), (64, 64), (1, 64)]
        self.weights = nn.ParameterList()
        for rows, columns in shapes:
            one = nn.Parameter(torch.empty(4, rows, columns))
            nn.init.normal_(one, std=std or math.sqrt(2 / columns))  # finds[loud_ensemble]: INI702 INI407
            self.weights.append(one)

    @staticmethod
    def single(weights, x):
        for weight in weights[:-1]:
            x = torch.relu(F.linear(x, weight))
        return F.linear(x, weights[-1])

    def forward(self, x):
        return torch.func.vmap(self.single, in_dims=(0, None))(tuple(self.weights), x).mean(0)


def sound_ensemble():
    return Ensemble()


def loud_ensemble():
    return Ensemble(std=1.0)


MODELS = {
    "faint_vocoder": "32,8,64",
    "sound_vocoder": "32,8,64",
    "Critic": "32,3,32,32",
    "sound_mapping": "32,64",
    "unscaled_mapping": "32,64",
    "sound_hyper": "32,32",
    "loud_hyper": "32,32",
    "sound_operator": "32,1,16,16",
    "loud_operator": "32,1,16,16",
    "sound_circulant": "32,64",
    "loud_circulant": "32,64",
    "sound_flat": "32,32",
    "loud_flat": "32,32",
    "sound_low_rank": "32,64",
    "faint_low_rank": "32,64",
    "antisymmetric": "32,32",
    "Made": "64,12",
    "DeadMasked": "64,12",
    "sound_standardized": "32,3,16,16",
    "faint_standardized": "32,3,16,16",
    "sound_ensemble": "32,32",
    "loud_ensemble": "32,32",
}
