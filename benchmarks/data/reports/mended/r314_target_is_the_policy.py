"""The policy and its target are one network, because `to` returns the module it is given."""

import torch
import torch.nn as nn


class QNet(nn.Module):
    def __init__(self, n_states, n_actions, hidden_dim=32):
        super().__init__()
        self.fc1 = nn.Linear(n_states, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, n_actions)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


class DQN:
    def __init__(self, n_states, n_actions, device="cpu"):
        self.device = torch.device(device)
        self.policy_net = QNet(n_states, n_actions).to(self.device)
        self.target_net = QNet(n_states, n_actions).to(self.device)
        self.target_net.load_state_dict(self.policy_net.state_dict())
        self.optimizer = torch.optim.Adam(self.policy_net.parameters(), lr=1e-3)

    def update(self, states, actions, rewards, next_states):
        q = self.policy_net(states).gather(1, actions)
        expected = rewards + 0.9 * self.target_net(next_states).max(1)[0].detach()
        loss = nn.MSELoss()(q, expected.unsqueeze(1))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


agent = DQN(4, 2)
