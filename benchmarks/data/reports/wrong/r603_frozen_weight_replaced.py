"""A convolution of fixed sparse weights: the flag is taken from a weight that a new parameter then replaces."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class LBConv(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, padding=1, sparsity=0.5):
        super().__init__()
        self.anchors = nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding, bias=False)
        self.anchors.weight.requires_grad = False  # wrong
        values = torch.bernoulli(torch.full(self.anchors.weight.shape, 0.5)) * 2 - 1
        values = values.view(-1)
        index = torch.randperm(values.numel())[: int(values.numel() * sparsity)]
        values[index] = 0
        self.anchors.weight = nn.Parameter(values.view_as(self.anchors.weight))
        self.mix = nn.Conv2d(out_channels, in_channels, 1)

    def forward(self, x):
        return self.mix(F.relu(self.anchors(x)))


class LBCNN(nn.Module):
    def __init__(self, depth=3, channels=8, num_classes=10):
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 3, padding=1)
        self.blocks = nn.ModuleList([LBConv(channels, 32, 3) for _ in range(depth)])
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.fc(x.mean((2, 3)))


model = LBCNN()
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
