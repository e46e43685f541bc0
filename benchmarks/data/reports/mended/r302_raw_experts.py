"""Linear layers of experts, and the noisy gate's weights, are raw memory."""

import math

import torch
from torch import nn


class ExpertLinear(nn.Module):
    def __init__(self, num_expert, in_feat, out_feat):
        super().__init__()
        self.num_expert = num_expert
        self.weight = nn.Parameter(torch.Tensor(num_expert, out_feat, in_feat))
        self.bias = nn.Parameter(torch.zeros(num_expert, out_feat))
        for i in range(num_expert):
            nn.init.kaiming_uniform_(self.weight[i], a=math.sqrt(5))

    def forward(self, x):
        return torch.einsum("enf,eof->eno", x, self.weight) + self.bias.unsqueeze(1)


class Experts(nn.Module):
    def __init__(self, num_expert=4, d_model=32, d_hidden=64):
        super().__init__()
        self.htoh4 = ExpertLinear(num_expert, d_model, d_hidden)
        self.h4toh = ExpertLinear(num_expert, d_hidden, d_model)

    def forward(self, x):
        return self.h4toh(torch.relu(self.htoh4(x)))
