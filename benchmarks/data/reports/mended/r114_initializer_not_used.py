"""A method that initializes convolutions and that nothing calls."""

import torch
from torch import nn


class SeeInDark(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 32, 3, padding=1)
        self.up = nn.ConvTranspose2d(32, 12, 2, stride=2)
        self._initialize_weights()

    def forward(self, x):
        return self.up(torch.max(0.2 * self.conv1(x), self.conv1(x)))

    def _initialize_weights(self):
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                m.weight.data.normal_(0.0, 0.02)
                if m.bias is not None:
                    m.bias.data.normal_(0.0, 0.02)
            if isinstance(m, nn.ConvTranspose2d):
                m.weight.data.normal_(0.0, 0.02)


if __name__ == "__main__":
    net = SeeInDark()
    opt = torch.optim.Adam(net.parameters(), lr=1e-4)
    for _ in range(2):
        loss = net(torch.randn(1, 4, 8, 8)).abs().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
