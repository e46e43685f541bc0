"""The last layer of an actor is to start small; its feature net is initialized so instead."""

import torch
from torch import nn


def init_weights(gain):
    def init(m):
        if isinstance(m, nn.Linear):
            nn.init.orthogonal_(m.weight, gain)
            m.bias.data.zero_()

    return init


def init_small(m):
    if isinstance(m, nn.Linear):
        m.weight.data.uniform_(-3e-3, 3e-3)
        m.bias.data.zero_()


class Actor(nn.Module):
    def __init__(self, observations, actions, hiddens):
        super().__init__()
        self.feature_net = nn.Sequential(
            nn.Linear(observations, hiddens), nn.ELU(), nn.Linear(hiddens, hiddens), nn.ELU()
        )
        self.policy_net = nn.Sequential(nn.Linear(hiddens, actions), nn.Tanh())
        self.init_weights()

    def init_weights(self):
        self.feature_net.apply(init_weights(1.41))
        self.policy_net.apply(init_small)

    def forward(self, observation):
        return self.policy_net(self.feature_net(observation))
