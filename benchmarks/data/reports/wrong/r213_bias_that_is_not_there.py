"""All linear layers have their biases zeroed; one of them is made without."""

from torch import nn


class Classifier(nn.Module):
    def __init__(self, dim=8, classes=3):
        super().__init__()
        self.embed = nn.Linear(dim, dim, bias=False)
        self.head = nn.Linear(dim, classes)
        self._initialize_weights()

    def _initialize_weights(self):
        for m in self.modules():
            if isinstance(m, nn.Linear):
                m.weight.data.normal_(0, 0.01)
                m.bias.data.zero_()  # wrong

    def forward(self, x):
        return self.head(self.embed(x).relu())
