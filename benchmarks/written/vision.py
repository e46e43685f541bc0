"""Models of images."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class ChannelsLast(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    def __init__(self, dim, scale):
        super().__init__()
        self.dwconv = nn.Conv2d(dim, dim, 7, padding=3, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.pwconv1 = nn.Linear(dim, 4 * dim)
        self.act = nn.GELU()
        self.pwconv2 = nn.Linear(4 * dim, dim)
        self.gamma = nn.Parameter(scale * torch.ones(dim))

    def forward(self, x):
        h = self.dwconv(x).permute(0, 2, 3, 1)
        h = self.gamma * self.pwconv2(self.act(self.pwconv1(self.norm(h))))
        return x + h.permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    """Liu et al., 2022."""

    def __init__(self, dims=(64, 128, 256), depths=(2, 2, 3), classes=100, scale=1e-6):
        super().__init__()
        self.downsample = nn.ModuleList([nn.Sequential(nn.Conv2d(3, dims[0], 4, 4), ChannelsLast(dims[0]))])
        for a, b in zip(dims, dims[1:], strict=False):
            self.downsample.append(nn.Sequential(ChannelsLast(a), nn.Conv2d(a, b, 2, 2)))
        self.stages = nn.ModuleList(
            nn.Sequential(*[ConvNeXtBlock(d, scale) for _ in range(n)]) for d, n in zip(dims, depths, strict=True)
        )
        self.norm = nn.LayerNorm(dims[-1])
        self.head = nn.Linear(dims[-1], classes)
        self.apply(self._init_weights)

    def _init_weights(self, m):
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            nn.init.trunc_normal_(m.weight, std=0.02)
            nn.init.constant_(m.bias, 0)

    def forward(self, x):
        for down, stage in zip(self.downsample, self.stages, strict=True):
            x = stage(down(x))
        return self.head(self.norm(x.mean([-2, -1])))


class MixerBlock(nn.Module):
    def __init__(self, tokens, dim, token_dim, channel_dim):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.token_mix = nn.Sequential(nn.Linear(tokens, token_dim), nn.GELU(), nn.Linear(token_dim, tokens))
        self.channel_mix = nn.Sequential(nn.Linear(dim, channel_dim), nn.GELU(), nn.Linear(channel_dim, dim))

    def forward(self, x):
        x = x + self.token_mix(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channel_mix(self.norm2(x))


class MLPMixer(nn.Module):
    """Tolstikhin et al., 2021."""

    def __init__(self, size=64, patch=8, dim=192, depth=6, classes=100):
        super().__init__()
        tokens = (size // patch) ** 2
        self.patch = nn.Conv2d(3, dim, patch, patch)
        self.blocks = nn.ModuleList([MixerBlock(tokens, dim, 96, 768) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)
                nn.init.zeros_(m.bias)
        nn.init.zeros_(self.head.weight)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(1))


class SelfAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        a = (q @ k.transpose(-2, -1) / math.sqrt(c // self.heads)).softmax(-1)
        return self.proj((a @ v).transpose(1, 2).reshape(b, n, c))


class EncoderBlock(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = SelfAttention(dim, heads)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """Dosovitskiy et al., 2021: ViT-Tiny."""

    def __init__(self, size=64, patch=8, dim=192, depth=6, heads=3, classes=100):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, dim, patch, patch)
        self.cls_token = nn.Parameter(torch.empty(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.empty(1, (size // patch) ** 2 + 1, dim))
        self.blocks = nn.Sequential(*[EncoderBlock(dim, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        self.apply(self._init_weights)

    def _init_weights(self, m):
        if isinstance(m, nn.Linear):
            nn.init.trunc_normal_(m.weight, std=0.02)
            if m.bias is not None:
                nn.init.zeros_(m.bias)
        elif isinstance(m, nn.LayerNorm):
            nn.init.ones_(m.weight)
            nn.init.zeros_(m.bias)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])


def squash(s, dim=-1):
    norm = (s**2).sum(dim, keepdim=True)
    return norm / (1 + norm) * s / torch.sqrt(norm + 1e-8)


class CapsuleNet(nn.Module):
    """Sabour et al., 2017: lengths of the capsules of ten classes."""

    def __init__(self, channels=128, primary=16, classes=10, iterations=3):
        super().__init__()
        self.iterations = iterations
        self.conv = nn.Conv2d(1, channels, 9)
        self.primary = nn.Conv2d(channels, primary * 8, 9, stride=2)
        self.W = nn.Parameter(0.01 * torch.randn(1, classes, primary * 36, 16, 8))

    def forward(self, x):
        x = F.relu(self.conv(x))
        u = self.primary(x)
        u = squash(u.view(len(u), -1, 8, 36).transpose(2, 3).reshape(len(u), -1, 8))
        u_hat = (self.W @ u[:, None, :, :, None]).squeeze(-1)
        b = torch.zeros_like(u_hat[..., :1])
        for i in range(self.iterations):
            v = squash((b.softmax(1) * u_hat).sum(2, keepdim=True))
            if i < self.iterations - 1:
                b = b + (u_hat.detach() * v).sum(-1, keepdim=True)
        return v.squeeze(2).norm(dim=-1)


class BasicBlock(nn.Module):
    def __init__(self, cin, cout, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.shortcut = nn.Sequential()
        if stride != 1 or cin != cout:
            self.shortcut = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(h)) + self.shortcut(x))


class RetinaNet(nn.Module):
    """Lin et al., 2017: scores of classes and boxes for each anchor, on a small trunk with three levels."""

    def __init__(self, classes=20, anchors=9, width=128, prior=0.01):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        self.c3, self.c4, self.c5 = BasicBlock(32, 64, 2), BasicBlock(64, 128, 2), BasicBlock(128, 256, 2)
        self.lateral = nn.ModuleList([nn.Conv2d(c, width, 1) for c in (64, 128, 256)])
        self.smooth = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for _ in range(3)])
        self.cls_tower, self.box_tower = self.tower(width), self.tower(width)
        self.cls_score = nn.Conv2d(width, anchors * classes, 3, padding=1)
        self.box_pred = nn.Conv2d(width, anchors * 4, 3, padding=1)
        for part in (self.cls_tower, self.box_tower, self.cls_score, self.box_pred):
            for m in part.modules():
                if isinstance(m, nn.Conv2d):
                    nn.init.normal_(m.weight, std=0.01)
                    nn.init.zeros_(m.bias)
        nn.init.constant_(self.cls_score.bias, -math.log((1 - prior) / prior))

    @staticmethod
    def tower(width):
        layers = []
        for _ in range(4):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
        return nn.Sequential(*layers)

    def forward(self, x):
        c3 = self.c3(self.stem(x))
        c4 = self.c4(c3)
        c5 = self.c5(c4)
        p5 = self.lateral[2](c5)
        p4 = self.lateral[1](c4) + F.interpolate(p5, scale_factor=2)
        p3 = self.lateral[0](c3) + F.interpolate(p4, scale_factor=2)
        scores, boxes = [], []
        for smooth, p in zip(self.smooth, (p3, p4, p5), strict=True):
            p = smooth(p)
            scores.append(self.cls_score(self.cls_tower(p)).flatten(2))
            boxes.append(self.box_pred(self.box_tower(p)).flatten(2))
        return torch.cat(scores, 2), torch.cat(boxes, 2)


class SiameseNet(nn.Module):
    """Koch et al., 2015: whether two images show the same."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 64, 10),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(64, 128, 7),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(128, 128, 4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(128 * 5 * 5, 512),
            nn.Sigmoid(),
        )
        self.out = nn.Linear(512, 1)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
                nn.init.constant_(m.bias, 0.1)

    def forward(self, a, b):
        return self.out(torch.abs(self.features(a) - self.features(b)))


class FixupBlock(nn.Module):
    def __init__(self, width, blocks):
        super().__init__()
        self.bias1a, self.bias1b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
        self.bias2a, self.bias2b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
        self.scale = nn.Parameter(torch.ones(1))
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        nn.init.normal_(self.conv1.weight, std=math.sqrt(2 / (9 * width)) * blocks**-0.5)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x):
        h = self.conv1(x + self.bias1a)
        h = F.relu(h + self.bias1b)
        h = self.conv2(h + self.bias2a)
        return F.relu(x + h * self.scale + self.bias2b)


class FixupResNet(nn.Module):
    """Zhang et al., 2019: residual networks without normalization."""

    def __init__(self, width=64, blocks=12, classes=10):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False)
        nn.init.kaiming_normal_(self.stem.weight, nonlinearity="relu")
        self.blocks = nn.Sequential(*[FixupBlock(width, blocks) for _ in range(blocks)])
        self.fc = nn.Linear(width, classes)
        nn.init.zeros_(self.fc.weight)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x):
        return self.fc(self.blocks(F.relu(self.stem(x))).mean((2, 3)))


class SqueezeExcite(nn.Module):
    def __init__(self, width, reduction=4):
        super().__init__()
        self.fc1 = nn.Conv2d(width, width // reduction, 1)
        self.fc2 = nn.Conv2d(width // reduction, width, 1)

    def forward(self, x):
        s = F.adaptive_avg_pool2d(x, 1)
        return x * F.hardsigmoid(self.fc2(F.relu(self.fc1(s))))


class InvertedResidual(nn.Module):
    def __init__(self, cin, cout, expand, stride):
        super().__init__()
        mid = cin * expand
        self.same = stride == 1 and cin == cout
        self.block = nn.Sequential(
            nn.Conv2d(cin, mid, 1, bias=False),
            nn.BatchNorm2d(mid),
            nn.Hardswish(),
            nn.Conv2d(mid, mid, 5, stride, 2, groups=mid, bias=False),
            nn.BatchNorm2d(mid),
            nn.Hardswish(),
            SqueezeExcite(mid),
            nn.Conv2d(mid, cout, 1, bias=False),
            nn.BatchNorm2d(cout),
        )

    def forward(self, x):
        return x + self.block(x) if self.same else self.block(x)


class MobileNetV3(nn.Module):
    """Howard et al., 2019."""

    def __init__(self, classes=100):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish())
        plan = [(16, 24, 2), (24, 24, 1), (24, 40, 2), (40, 40, 1), (40, 80, 2), (80, 80, 1)]
        self.blocks = nn.Sequential(*[InvertedResidual(a, b, 4, s) for a, b, s in plan])
        self.last = nn.Sequential(nn.Conv2d(80, 480, 1, bias=False), nn.BatchNorm2d(480), nn.Hardswish())
        self.classifier = nn.Sequential(nn.Linear(480, 512), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(512, classes))
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out")
                if m.bias is not None:
                    nn.init.zeros_(m.bias)
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.ones_(m.weight)
                nn.init.zeros_(m.bias)
            elif isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, 0, 0.01)
                nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.classifier(self.last(self.blocks(self.stem(x))).mean((2, 3)))
