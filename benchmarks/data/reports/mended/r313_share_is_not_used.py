"""Target networks should start as copies, by an update with a share of 1; the update ignores the share it is given."""

import torch.nn as nn


class DDPG:
    def __init__(self, tau=0.005):
        self.tau = tau
        self.online_value_model = nn.Linear(4, 1)
        self.target_value_model = nn.Linear(4, 1)

    def update_networks(self, tau=None):
        tau = self.tau if tau is None else tau
        for target, online in zip(self.target_value_model.parameters(), self.online_value_model.parameters()):
            target_ratio = (1.0 - tau) * target.data
            online_ratio = tau * online.data
            target.data.copy_(target_ratio + online_ratio)

    def train(self):
        self.update_networks(tau=1.0)


DDPG().train()
