"""A wrapper for recurrent policies draws all parameters anew, those of the policy that it is given too."""

import torch
from torch import nn


def layer_init(layer, std=2**0.5, bias_const=0.0):
    nn.init.orthogonal_(layer.weight, std)
    nn.init.constant_(layer.bias, bias_const)
    return layer


class Policy(nn.Module):
    def __init__(self, obs_size, num_actions, hidden_size=64):
        super().__init__()
        self.hidden_size = hidden_size
        self.encoder = nn.Sequential(layer_init(nn.Linear(obs_size, hidden_size)), nn.GELU())
        self.decoder = nn.Sequential(
            layer_init(nn.Linear(hidden_size, hidden_size)),
            nn.GELU(),
            layer_init(nn.Linear(hidden_size, num_actions), std=0.01),
        )
        self.value = layer_init(nn.Linear(hidden_size, 1), std=1)

    def encode_observations(self, observations):
        return self.encoder(observations)

    def decode_actions(self, hidden):
        return self.decoder(hidden), self.value(hidden)


class LSTMWrapper(nn.Module):
    def __init__(self, policy, input_size=64, hidden_size=64):
        super().__init__()
        self.policy = policy
        self.lstm = nn.LSTM(input_size, hidden_size)

        for name, param in self.named_parameters():
            if "layer_norm" in name:
                continue
            if "bias" in name:
                nn.init.constant_(param, 0)
            elif "weight" in name and param.ndim >= 2:
                nn.init.orthogonal_(param, 1.0)  # wrong

    def forward(self, observations, state=None):
        hidden = self.policy.encode_observations(observations)
        hidden, state = self.lstm(hidden, state)
        return self.policy.decode_actions(hidden), state


agent = LSTMWrapper(Policy(8, 4))
