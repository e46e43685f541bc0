"""Detection biases are shifted in place through a view of a leaf that requires a gradient."""

import math

from torch import nn


class Detect(nn.Module):
    def __init__(self, nc, na, channels):
        super().__init__()
        self.nc = nc
        self.na = na
        self.stride = (8.0, 16.0)
        self.m = nn.ModuleList(nn.Conv2d(c, (nc + 5) * na, 1) for c in channels)

    def forward(self, xs):
        return [m(x) for m, x in zip(self.m, xs)]


class Model(nn.Module):
    def __init__(self, nc=2):
        super().__init__()
        self.model = nn.ModuleList([nn.Conv2d(3, 8, 3), Detect(nc, 3, (8, 8))])
        self._initialize_biases()

    def _initialize_biases(self):
        head = self.model[-1]
        for mi, s in zip(head.m, head.stride):
            b = mi.bias.detach().view(head.na, -1)
            b[:, 4] += math.log(8 / (640 / s) ** 2)
            b[:, 5:] += math.log(0.6 / (head.nc - 0.99))
            mi.bias = nn.Parameter(b.view(-1), requires_grad=True)

    def forward(self, x):
        return self.model[1]([self.model[0](x)] * 2)


Model()
