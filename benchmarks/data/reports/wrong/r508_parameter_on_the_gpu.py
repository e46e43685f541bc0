"""A parameter that is moved when it is made is none of the module's parameters."""

import torch
import torch.nn as nn


class Gpu(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(10)).cuda()  # wrong

    def forward(self, x):
        return x * self.w


gpu = Gpu()
optimizer = torch.optim.SGD(gpu.parameters(), lr=0.1)
