"""The target networks of SAC follow by an average and start from weights of their own."""

import torch
import torch.nn as nn


def mlp(sizes):
    layers = []
    for a, b in zip(sizes[:-1], sizes[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class SACModule(nn.Module):
    def __init__(self, obs, actions, hidden=64, twin_q=True):
        super().__init__()
        self.twin_q = twin_q
        self.setup(obs, actions, hidden)

    def setup(self, obs, actions, hidden):
        self.pi_encoder = mlp([obs, hidden, hidden])
        self.pi = nn.Linear(hidden, 2 * actions)
        self.qf_encoder = mlp([obs + actions, hidden, hidden])
        self.qf = nn.Linear(hidden, 1)
        self.qf_target_encoder = mlp([obs + actions, hidden, hidden])
        self.qf_target = nn.Linear(hidden, 1)
        self.qf_target_encoder.load_state_dict(self.qf_encoder.state_dict())
        self.qf_target.load_state_dict(self.qf.state_dict())
        self.qf_target_encoder.requires_grad_(False)
        self.qf_target.requires_grad_(False)

    def sync_targets(self, tau):
        for target, source in ((self.qf_target_encoder, self.qf_encoder), (self.qf_target, self.qf)):
            for t, s in zip(target.parameters(), source.parameters()):
                t.data.mul_(1 - tau).add_(tau * s.data)

    def q_values(self, obs, act, target=False):
        x = torch.cat([obs, act], -1)
        if target:
            return self.qf_target(self.qf_target_encoder(x))
        return self.qf(self.qf_encoder(x))


module = SACModule(8, 2)
optimizer = torch.optim.Adam([*module.qf_encoder.parameters(), *module.qf.parameters()], lr=3e-4)
for _ in range(10):
    obs, act, reward = torch.randn(32, 8), torch.randn(32, 2), torch.randn(32, 1)
    target = reward + 0.99 * module.q_values(obs, act, target=True)
    loss = (module.q_values(obs, act) - target).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    module.sync_targets(0.005)
