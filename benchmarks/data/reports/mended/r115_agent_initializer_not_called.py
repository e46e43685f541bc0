"""An initializer of an agent that nothing calls."""

import torch
from torch import nn


class Predictor(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(dim, 64), nn.ReLU(), nn.Linear(64, 16))

    def init_state_predict_weights(self, m):
        for name, param in m.named_parameters():
            if "bias" in name:
                nn.init.constant_(param, 0.01)
            elif "weight" in name:
                nn.init.orthogonal_(param)

    def lets_init_weights(self):
        self.net.apply(self.init_state_predict_weights)

    def forward(self, s):
        return self.net(s)


class Agent:
    def __init__(self, dim):
        self.predictor = Predictor(dim)
        self.predictor.lets_init_weights()
        self.optimizer = torch.optim.Adam(self.predictor.parameters(), lr=1e-3)

    def train(self, s):
        loss = self.predictor(s).pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def main():
    agent = Agent(4)
    for _ in range(2):
        agent.train(torch.randn(8, 4))


if __name__ == "__main__":
    main()
