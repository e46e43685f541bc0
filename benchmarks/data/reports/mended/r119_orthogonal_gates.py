"""One orthogonal draw for four gates."""

import numpy as np
from torch import nn


class Agent(nn.Module):
    def __init__(self, actions):
        super().__init__()
        self.lstm = nn.LSTM(512, 128)
        for name, param in self.lstm.named_parameters():
            if "bias" in name:
                nn.init.constant_(param, 0)
            elif "weight" in name:
                for gate in param.data.chunk(4):
                    nn.init.orthogonal_(gate, 1.0)
        self.actor = nn.Linear(128, actions)
        nn.init.orthogonal_(self.actor.weight, np.sqrt(2))

    def forward(self, x):
        return self.actor(self.lstm(x)[0])


Agent(4)
