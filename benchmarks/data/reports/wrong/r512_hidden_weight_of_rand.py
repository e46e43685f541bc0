"""A recurrent weight is drawn uniformly from zero to one where the others of its layer are normal."""

import torch
from torch import nn


class RNNScratch(nn.Module):
    def __init__(self, num_inputs, num_hiddens, sigma=0.01):
        super().__init__()
        self.num_hiddens = num_hiddens
        self.W_xh = nn.Parameter(torch.randn(num_inputs, num_hiddens) * sigma)
        self.W_hh = nn.Parameter(torch.rand(num_hiddens, num_hiddens) * sigma)  # wrong
        self.b_h = nn.Parameter(torch.zeros(num_hiddens))

    def forward(self, inputs, state=None):
        if state is None:
            state = torch.zeros(inputs.shape[1], self.num_hiddens)
        outputs = []
        for x in inputs:
            state = torch.tanh(x @ self.W_xh + state @ self.W_hh + self.b_h)
            outputs.append(state)
        return outputs, state


class RNNLMScratch(nn.Module):
    def __init__(self, rnn, vocab_size):
        super().__init__()
        self.rnn = rnn
        self.W_hq = nn.Parameter(torch.randn(rnn.num_hiddens, vocab_size) * 0.01)
        self.b_q = nn.Parameter(torch.zeros(vocab_size))

    def forward(self, x):
        outputs, _ = self.rnn(x)
        return torch.stack([h @ self.W_hq + self.b_q for h in outputs], 1)


model = RNNLMScratch(RNNScratch(28, 32), 28)
