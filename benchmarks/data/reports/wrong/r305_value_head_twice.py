"""The head of the value gets both gains, and the head of the policy none."""

import torch
import torch.nn as nn


class ActorCritic(nn.Module):
    def __init__(self, obs, actions, units=64):
        super().__init__()
        self.actor_mlp = nn.Sequential(nn.Linear(obs, units), nn.ELU(), nn.Linear(units, units), nn.ELU())
        self.value = nn.Linear(units, 1)
        self.mu = nn.Linear(units, actions)
        self.sigma = nn.Parameter(torch.zeros(actions))
        for m in self.modules():
            if isinstance(m, nn.Linear) and getattr(m, "bias", None) is not None:
                nn.init.zeros_(m.bias)
        nn.init.constant_(self.sigma, 0)
        nn.init.orthogonal_(self.value.weight, gain=0.01)  # wrong
        nn.init.orthogonal_(self.value.weight, gain=1.0)

    def forward(self, x):
        x = self.actor_mlp(x)
        return self.mu(x), self.sigma, self.value(x)
