"""After a copy, the name of the target is given to the network that moves."""

import torch
import torch.nn as nn


class DuelingDQN(nn.Module):
    def __init__(self, inputs, actions):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(inputs, 32), nn.ReLU())
        self.value = nn.Linear(32, 1)
        self.advantage = nn.Linear(32, actions)

    def forward(self, x):
        x = self.body(x)
        a = self.advantage(x)
        return self.value(x) + a - a.mean(1, keepdim=True)


class CentralControl:
    def __init__(self, shape, actions, gamma, device):
        self.target_nn = DuelingDQN(shape, actions).to(device)
        self.moving_nn = DuelingDQN(shape, actions).to(device)
        self.gamma = gamma

    def set_optimizer(self, learning_rate):
        self.optimizer = torch.optim.Adam(self.moving_nn.parameters(), lr=learning_rate)

    def update_target(self):
        self.target_nn.load_state_dict(self.moving_nn.state_dict())
        self.target_nn = self.moving_nn  # wrong

    def optimize(self, states, actions, rewards, next_states):
        values = self.moving_nn(states).gather(1, actions)
        with torch.no_grad():
            targets = rewards + self.gamma * self.target_nn(next_states).max(1, keepdim=True)[0]
        loss = nn.functional.mse_loss(values, targets)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


control = CentralControl(4, 2, 0.99, "cpu")
control.set_optimizer(1e-3)
control.update_target()
