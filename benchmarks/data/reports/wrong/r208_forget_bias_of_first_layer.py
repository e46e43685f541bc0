"""The bias of the forget gate is set in the first layer of an LSTM of several."""

import torch
from torch import nn


class Forecast(nn.Module):
    def __init__(self, inputs, hidden, layers=2, initial_forget_bias=3.0):
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, num_layers=layers)
        self.initial_forget_bias = initial_forget_bias
        self.reset_parameters()

    def reset_parameters(self):
        with torch.no_grad():
            hidden = self.lstm.hidden_size
            self.lstm.bias_hh_l0[hidden : 2 * hidden] = self.initial_forget_bias  # wrong

    def forward(self, x):
        return self.lstm(x)[0]


Forecast(3, 4)
