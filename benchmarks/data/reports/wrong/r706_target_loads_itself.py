"""The target mixer loads its own state: it stays what it was at the start."""

import torch
from torch import nn


class QMixNet(nn.Module):
    def __init__(self, states, agents, hidden):
        super().__init__()
        self.hyper_w1 = nn.Linear(states, agents * hidden)
        self.hyper_b1 = nn.Linear(states, hidden)
        self.agents, self.hidden = agents, hidden

    def forward(self, q_values, states):
        w1 = torch.abs(self.hyper_w1(states)).view(-1, self.agents, self.hidden)
        return torch.bmm(q_values.unsqueeze(1), w1).squeeze(1) + self.hyper_b1(states)


class Policy:
    def __init__(self, conf):
        self.eval_qmix_net = QMixNet(conf.states, conf.agents, conf.hidden)
        self.target_qmix_net = QMixNet(conf.states, conf.agents, conf.hidden)
        self.target_qmix_net.load_state_dict(self.eval_qmix_net.state_dict())
        self.optimizer = torch.optim.RMSprop(self.eval_qmix_net.parameters(), lr=conf.lr)
        self.update_target_every = conf.update_target_every

    def learn(self, batch, train_step):
        loss = self.loss(batch)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if train_step > 0 and train_step % self.update_target_every == 0:
            self.target_qmix_net.load_state_dict(self.target_qmix_net.state_dict())  # wrong

    def loss(self, batch):
        q = self.eval_qmix_net(batch["q"], batch["s"])
        with torch.no_grad():
            target = batch["r"] + 0.99 * self.target_qmix_net(batch["q_next"], batch["s_next"])
        return ((q - target) ** 2).mean()
