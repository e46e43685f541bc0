"""A model is trained anew after a reset that reaches the direct children alone, of which only the last is a layer."""

import torch
from torch import nn


class BasicBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x):
        return torch.relu(x + self.residual(x))


class ResNet(nn.Module):
    def __init__(self, channels=16, blocks=2, num_classes=20):
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )
        self.layers = nn.Sequential(*[BasicBlock(channels) for _ in range(blocks)])
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x):
        return self.fc(self.layers(self.conv1(x)).mean((2, 3)))


def fit(model, batches, lr=0.1):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for images, labels in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()


def retrain(model, retained):
    for layer in model.children():
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()  # wrong
    fit(model, retained)


def batches(count):
    return [(torch.randn(4, 3, 8, 8), torch.randint(20, (4,))) for _ in range(count)]


if __name__ == "__main__":
    model = ResNet()
    fit(model, batches(4))
    retrain(model, batches(2))
