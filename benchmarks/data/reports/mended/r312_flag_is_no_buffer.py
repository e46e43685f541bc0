"""A layer that initializes itself from its first batch forgets, when it is loaded, that it has done so."""

import torch
from torch import nn


class ActNorm(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.register_buffer("initialized", torch.tensor(False, dtype=torch.bool))
        self.log_scale = nn.Parameter(torch.zeros(features))
        self.shift = nn.Parameter(torch.zeros(features))

    def forward(self, inputs):
        if self.training and not self.initialized:
            self._initialize(inputs)
        return self.log_scale.exp() * inputs + self.shift

    def _initialize(self, inputs):
        with torch.no_grad():
            std = inputs.std(dim=0)
            mu = (inputs / std).mean(dim=0)
            self.log_scale.data = -torch.log(std)
            self.shift.data = -mu
            self.initialized.data = torch.tensor(True, dtype=torch.bool)


flow = nn.Sequential(ActNorm(4), nn.Linear(4, 4), ActNorm(4))
flow(torch.randn(16, 4))
torch.save(flow.state_dict(), "flow.pt")
flow = nn.Sequential(ActNorm(4), nn.Linear(4, 4), ActNorm(4))
flow.load_state_dict(torch.load("flow.pt"))
flow(torch.randn(16, 4))
