"""An attention layer draws its weights, and leaves its bias as raw memory."""

import torch
import torch.nn as nn


class AttentionWordRNN(nn.Module):
    def __init__(self, embed_size=200, word_gru_hidden=100):
        super().__init__()
        self.word_gru = nn.GRU(embed_size, word_gru_hidden, bidirectional=True)
        self.weight_W_word = nn.Parameter(torch.Tensor(2 * word_gru_hidden, 2 * word_gru_hidden))
        self.bias_word = nn.Parameter(torch.Tensor(2 * word_gru_hidden, 1))  # wrong
        self.weight_proj_word = nn.Parameter(torch.Tensor(2 * word_gru_hidden, 1))
        self.weight_W_word.data.uniform_(-0.1, 0.1)
        self.weight_proj_word.data.uniform_(-0.1, 0.1)

    def forward(self, embed, state):
        output, state = self.word_gru(embed, state)
        squish = torch.tanh(torch.matmul(output, self.weight_W_word) + self.bias_word.view(-1))
        attn = torch.softmax(torch.matmul(squish, self.weight_proj_word), 0)
        return (attn * output).sum(0), state
