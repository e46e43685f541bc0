"""Models that generate: diffusion, autoencoders, adversaries, flows, a vocoder, a radiance field, a hypernetwork."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class TimeEmbedding(nn.Module):
    def __init__(self, channels, out):
        super().__init__()
        self.channels = channels
        self.mlp = nn.Sequential(nn.Linear(channels, out), nn.SiLU(), nn.Linear(out, out))

    def forward(self, t):
        half = self.channels // 2
        freqs = torch.exp(-math.log(10000) * torch.arange(half, device=t.device) / half)
        args = t.float()[:, None] * freqs[None]
        emb = torch.cat([args.cos(), args.sin()], dim=-1).to(self.mlp[0].weight.dtype)
        return self.mlp(emb)


class ResBlock(nn.Module):
    def __init__(self, cin, cout, temb):
        super().__init__()
        self.norm1 = nn.GroupNorm(8, cin)
        self.conv1 = nn.Conv2d(cin, cout, 3, padding=1)
        self.time = nn.Linear(temb, cout)
        self.norm2 = nn.GroupNorm(8, cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)
        self.skip = nn.Conv2d(cin, cout, 1) if cin != cout else nn.Identity()

    def forward(self, x, t):
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.time(F.silu(t))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return h + self.skip(x)


class SpatialAttention(nn.Module):
    def __init__(self, channels, heads=4):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(8, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x):
        b, c, h, w = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(b, 3, self.heads, c // self.heads, h * w).unbind(1)
        a = torch.softmax(torch.einsum("bhcn,bhcm->bhnm", q, k) / math.sqrt(c // self.heads), dim=-1)
        return x + self.out(torch.einsum("bhnm,bhcm->bhcn", a, v).reshape(b, c, h, w))


class DiffusionUNet(nn.Module):
    """Ho et al., 2020."""

    def __init__(self, channels=3, width=64, mults=(1, 2, 2)):
        super().__init__()
        temb = 4 * width
        self.time = TimeEmbedding(width, temb)
        self.stem = nn.Conv2d(channels, width, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        sizes, c = [width], width
        for i, m in enumerate(mults):
            self.down.append(ResBlock(c, width * m, temb))
            c = width * m
            sizes.append(c)
            if i < len(mults) - 1:
                self.down.append(nn.Conv2d(c, c, 3, stride=2, padding=1))
                sizes.append(c)
        self.mid1 = ResBlock(c, c, temb)
        self.mid_attention = SpatialAttention(c)
        self.mid2 = ResBlock(c, c, temb)
        for i, m in reversed(list(enumerate(mults))):
            for _ in range(2):
                self.up.append(ResBlock(c + sizes.pop(), width * m, temb))
                c = width * m
            if i > 0:
                self.up.append(nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(c, c, 3, padding=1)))
        self.norm = nn.GroupNorm(8, c)
        self.head = nn.Conv2d(c, channels, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x, t):
        t = self.time(t)
        h = self.stem(x)
        kept = [h]
        for layer in self.down:
            h = layer(h, t) if isinstance(layer, ResBlock) else layer(h)
            kept.append(h)
        h = self.mid2(self.mid_attention(self.mid1(h, t)), t)
        for layer in self.up:
            h = layer(torch.cat([h, kept.pop()], 1), t) if isinstance(layer, ResBlock) else layer(h)
        return self.head(F.silu(self.norm(h)))


class ConvVAE(nn.Module):
    """Kingma and Welling, 2014, with convolutions."""

    def __init__(self, latent=32):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64 * 7 * 7, 256),
            nn.ReLU(),
        )
        self.mu = nn.Linear(256, latent)
        self.logvar = nn.Linear(256, latent)
        self.expand = nn.Linear(latent, 64 * 7 * 7)
        self.decoder = nn.Sequential(
            nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1),
            nn.Sigmoid(),
        )
        for m in self.modules():
            if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                nn.init.xavier_uniform_(m.weight)
                nn.init.zeros_(m.bias)

    def forward(self, x):
        h = self.encoder(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        recon = self.decoder(self.expand(z).view(-1, 64, 7, 7))
        return recon, mu, logvar


class Generator(nn.Module):
    def __init__(self, nz=100, ngf=64, nc=3):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, ngf * 4, 4, 1, 0, bias=False),
            nn.BatchNorm2d(ngf * 4),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 4, ngf * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf * 2),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf, nc, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.main(z[:, :, None, None])


class Discriminator(nn.Module):
    def __init__(self, ndf=64, nc=3):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(nc, ndf, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ndf * 2),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 2, ndf * 4, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ndf * 4),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 4, 1, 4, 1, 0, bias=False),
        )

    def forward(self, x):
        return self.main(x).flatten(1)


def dcgan_weights(m):
    name = m.__class__.__name__
    if name.find("Conv") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.02)
    elif name.find("BatchNorm") != -1:
        nn.init.normal_(m.weight.data, 1.0, 0.02)
        nn.init.constant_(m.bias.data, 0)


class Adversaries(nn.Module):
    """Radford et al., 2016: the generator's image, judged."""

    def __init__(self):
        super().__init__()
        self.generator, self.discriminator = Generator(), Discriminator()
        self.generator.apply(dcgan_weights)
        self.discriminator.apply(dcgan_weights)

    def forward(self, z):
        return self.discriminator(self.generator(z))


class AffineCoupling(nn.Module):
    def __init__(self, dim, hidden, flip):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(
            nn.Linear(dim // 2, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, dim)
        )
        self.scale = nn.Parameter(torch.zeros(dim // 2))
        nn.init.normal_(self.net[-1].weight, std=1e-3)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        a, b = x.chunk(2, dim=1)
        if self.flip:
            a, b = b, a
        s, t = self.net(a).chunk(2, dim=1)
        s = torch.tanh(s) * torch.exp(self.scale)
        b = b * torch.exp(s) + t
        return torch.cat([b, a] if self.flip else [a, b], 1), s.sum(1)


class RealNVP(nn.Module):
    """Dinh et al., 2017, over vectors."""

    def __init__(self, dim=16, hidden=256, depth=6):
        super().__init__()
        self.layers = nn.ModuleList([AffineCoupling(dim, hidden, i % 2 == 1) for i in range(depth)])

    def forward(self, x):
        logdet = 0.0
        for layer in self.layers:
            x, more = layer(x)
            logdet = logdet + more
        return -0.5 * (x**2).sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi) + logdet


class WaveNet(nn.Module):
    """Oord et al., 2016: classes of the next sample, given a spectrogram."""

    def __init__(self, classes=256, residual=64, skip=128, mels=80, layers=10):
        super().__init__()
        self.embed = nn.Embedding(classes, residual)
        self.filters = nn.ModuleList()
        self.conditions = nn.ModuleList()
        self.residuals = nn.ModuleList()
        self.skips = nn.ModuleList()
        for i in range(layers):
            conv = nn.Conv1d(residual, 2 * residual, 2, dilation=2 ** (i % 5))
            nn.init.xavier_uniform_(conv.weight, gain=nn.init.calculate_gain("tanh"))
            self.filters.append(conv)
            self.conditions.append(nn.Conv1d(mels, 2 * residual, 1, bias=False))
            self.residuals.append(nn.Conv1d(residual, residual, 1))
            self.skips.append(nn.Conv1d(residual, skip, 1))
        self.out1 = nn.Conv1d(skip, skip, 1)
        self.out2 = nn.Conv1d(skip, classes, 1)
        for conv in (*self.skips, self.out1):
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)

    def forward(self, wave, mel):
        x = self.embed(wave).transpose(1, 2)
        mel = F.interpolate(mel, size=wave.shape[1])
        total = 0
        for f, c, r, s in zip(self.filters, self.conditions, self.residuals, self.skips, strict=True):
            h = f(F.pad(x, (f.dilation[0], 0))) + c(mel)
            a, b = h.chunk(2, dim=1)
            h = torch.tanh(a) * torch.sigmoid(b)
            total = total + s(h)
            x = (x + r(h)) * math.sqrt(0.5)
        total = total * math.sqrt(1.0 / len(self.filters))
        return self.out2(F.relu(self.out1(F.relu(total))))


class VectorQuantizer(nn.Module):
    def __init__(self, codes, dim):
        super().__init__()
        self.codebook = nn.Embedding(codes, dim)
        self.codebook.weight.data.uniform_(-1.0 / codes, 1.0 / codes)

    def forward(self, z):
        flat = z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])
        distance = flat.pow(2).sum(1, keepdim=True) - 2 * flat @ self.codebook.weight.t()
        distance = distance + self.codebook.weight.pow(2).sum(1)
        q = self.codebook(distance.argmin(1)).view(z.shape[0], z.shape[2], z.shape[3], -1).permute(0, 3, 1, 2)
        loss = F.mse_loss(q, z.detach()) + 0.25 * F.mse_loss(z, q.detach())
        return z + (q - z).detach(), loss


class ResidualStack(nn.Module):
    def __init__(self, channels, hidden):
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(), nn.Conv2d(channels, hidden, 3, padding=1), nn.ReLU(), nn.Conv2d(hidden, channels, 1)
            )
            for _ in range(2)
        )

    def forward(self, x):
        for block in self.blocks:
            x = x + block(x)
        return F.relu(x)


class VQVAE(nn.Module):
    """Oord et al., 2017."""

    def __init__(self, hidden=128, dim=64, codes=512):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, hidden // 2, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(hidden // 2, hidden, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            ResidualStack(hidden, 32),
            nn.Conv2d(hidden, dim, 1),
        )
        self.quantizer = VectorQuantizer(codes, dim)
        self.decoder = nn.Sequential(
            nn.Conv2d(dim, hidden, 3, padding=1),
            ResidualStack(hidden, 32),
            nn.ConvTranspose2d(hidden, hidden // 2, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(hidden // 2, 3, 4, 2, 1),
        )

    def forward(self, x):
        q, loss = self.quantizer(self.encoder(x))
        return self.decoder(q), loss


class HashEncoding(nn.Module):
    def __init__(self, levels=8, size=2**12, features=2):
        super().__init__()
        self.levels, self.size = levels, size
        self.tables = nn.Parameter(torch.empty(levels, size, features))
        nn.init.uniform_(self.tables, -1e-4, 1e-4)
        self.register_buffer("primes", torch.tensor([1, 2654435761, 805459861]))

    def forward(self, x):
        out = []
        for level in range(self.levels):
            scaled = x * (16 * 1.5**level)
            low = scaled.floor().long()
            w = scaled - low
            total = 0
            for corner in range(8):
                bits = torch.tensor([(corner >> k) & 1 for k in range(3)], device=x.device)
                cell = (low + bits) * self.primes
                index = (cell[:, 0] ^ cell[:, 1] ^ cell[:, 2]) % self.size
                weight = torch.where(bits.bool(), w, 1 - w).prod(1, keepdim=True)
                total = total + weight * self.tables[level][index]
            out.append(total)
        return torch.cat(out, 1)


class InstantNGP(nn.Module):
    """Mueller et al., 2022: density and colour at a point, seen from a direction."""

    def __init__(self, hidden=64):
        super().__init__()
        self.encoding = HashEncoding()
        self.sigma = nn.Sequential(
            nn.Linear(16, hidden, bias=False), nn.ReLU(inplace=True), nn.Linear(hidden, 16, bias=False)
        )
        self.color = nn.Sequential(
            nn.Linear(15 + 3, hidden, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, hidden, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, 3, bias=False),
        )

    def forward(self, x, d):
        h = self.sigma(self.encoding(x))
        density = torch.exp(h[:, 0])
        color = torch.sigmoid(self.color(torch.cat([h[:, 1:], d], 1)))
        return density, color


class HyperNetwork(nn.Module):
    """Ha et al., 2017: a code for each layer becomes its weight."""

    def __init__(self, width=64, code=32, layers=3, inputs=16, outputs=4):
        super().__init__()
        self.sizes = [(inputs, width)] + [(width, width)] * (layers - 1) + [(width, outputs)]
        self.codes = nn.Parameter(torch.randn(len(self.sizes), code))
        self.trunk = nn.Sequential(nn.Linear(code, 64), nn.ReLU())
        self.heads = nn.ModuleList()
        self.biases = nn.ParameterList()
        for fan_in, fan_out in self.sizes:
            head = nn.Linear(64, fan_in * fan_out)
            # the product of code and head has the variance of He's scheme for the main network
            nn.init.normal_(head.weight, std=math.sqrt(2 / (fan_in * 64 * 0.2)))
            nn.init.zeros_(head.bias)
            self.heads.append(head)
            self.biases.append(nn.Parameter(torch.zeros(fan_out)))

    def forward(self, x):
        for i, (fan_in, fan_out) in enumerate(self.sizes):
            weight = self.heads[i](self.trunk(self.codes[i])).view(fan_out, fan_in)
            x = F.linear(x, weight, self.biases[i])
            if i < len(self.sizes) - 1:
                x = F.relu(x)
        return x
