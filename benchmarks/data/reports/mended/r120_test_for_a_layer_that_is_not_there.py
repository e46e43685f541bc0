"""The initializer tests for two-dimensional convolutions; the model has one-dimensional ones only."""

from torch import nn


class TEM(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.conv1 = nn.Conv1d(dim, hidden, 3, padding=1)
        self.conv2 = nn.Conv1d(hidden, hidden, 3, padding=1)
        self.conv3 = nn.Conv1d(hidden, 3, 1)
        self.apply(TEM.weight_init)

    @staticmethod
    def weight_init(m):
        if isinstance(m, nn.Conv1d):
            nn.init.xavier_normal_(m.weight)
            nn.init.constant_(m.bias, 0)

    def forward(self, x):
        return self.conv3(self.conv2(self.conv1(x).relu()).relu()).sigmoid()


TEM(4, 8)
