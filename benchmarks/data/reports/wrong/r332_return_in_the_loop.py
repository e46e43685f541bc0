"""The `return` behind a loop that draws convolutions stands in the loop."""

import torch.nn as nn


class SimpleNet(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.features = self._make_layers()
        self.classifier = nn.Linear(16, classes)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))

    def _make_layers(self):
        model = nn.Sequential(
            nn.Conv2d(3, 8, kernel_size=3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, 16, kernel_size=3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
        )
        for m in model.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.xavier_uniform_(m.weight.data, gain=nn.init.calculate_gain("relu"))
            return model  # wrong


SimpleNet()
