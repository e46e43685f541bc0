"""A function is applied to every module's modules, so that a nested layer is drawn once for each module around it."""

from torch import nn


def weights_init(m):
    if isinstance(m, nn.Linear):
        nn.init.normal_(m.weight, 0.0, 0.02)
        if m.bias is not None:
            nn.init.zeros_(m.bias)


class Encoder(nn.Module):
    def __init__(self, size, hidden):
        super().__init__()
        self.fc_layers = nn.Sequential(nn.Sequential(nn.Linear(size, hidden), nn.ReLU()), nn.Linear(hidden, hidden))
        self.reset_parameters()

    def reset_parameters(self):
        for m in self.modules():
            m.apply(weights_init)  # wrong

    def forward(self, x):
        return self.fc_layers(x)


Encoder(4, 8)
