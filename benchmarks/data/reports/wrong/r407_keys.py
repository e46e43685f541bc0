"""The keys and values of a memory are plain random tensors, which nothing trains."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class MemoryModule(nn.Module):
    def __init__(self, L, channel):
        super().__init__()
        self.keys = torch.randn(L, channel).to("cuda")  # wrong
        self.values = torch.randn(L, channel).to("cuda")
        self.embed = nn.Conv2d(channel, channel, 1)

    def forward(self, x):
        b, c, h, w = x.shape
        query = self.embed(x).flatten(2).transpose(1, 2)
        attention = F.softmax(query @ self.keys.t(), dim=-1)
        return (attention @ self.values).transpose(1, 2).reshape(b, c, h, w)


class Student(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 32, 3, padding=1)
        self.memory = MemoryModule(50, 32)

    def forward(self, x):
        return self.memory(F.relu(self.conv(x)))


def train(loader):
    model = Student().to("cuda")
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for x, y in loader:
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
