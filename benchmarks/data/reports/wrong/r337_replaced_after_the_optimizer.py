"""An initialization from data replaces parameters after the optimizer has got them."""

import torch
from torch import nn


class SymmetricQuantizer(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(shape))

    def apply_minmax_init(self, min_values, max_values):
        sign = torch.max(min_values.abs(), max_values.abs())
        self.scale = nn.Parameter(sign)  # wrong

    def forward(self, x):
        return torch.clamp(x / self.scale, -1, 1) * self.scale


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.quantizer = SymmetricQuantizer((1, 8))
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        return self.fc(self.quantizer(x))


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
data = torch.randn(16, 8)
model.quantizer.apply_minmax_init(data.amin(0, keepdim=True), data.amax(0, keepdim=True))
for _ in range(3):
    optimizer.zero_grad()
    model(data).sum().backward()
    optimizer.step()
