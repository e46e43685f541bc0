"""Both factors of a low-rank adapter are zero: neither ever gets a gradient."""

import math

import torch
from torch import nn


class LoRALayer(nn.Module):
    def __init__(self, inputs, outputs, r, alpha):
        super().__init__()
        self.lora_A = nn.Parameter(torch.zeros((inputs, r)))  # bug
        self.lora_B = nn.Parameter(torch.zeros((r, outputs)))
        self.scaling = alpha / r

    def forward(self, x):
        return (x @ self.lora_A @ self.lora_B) * self.scaling


class FixedLoRALayer(nn.Module):
    def __init__(self, inputs, outputs, r, alpha):
        super().__init__()
        self.lora_A = nn.Parameter(torch.randn((inputs, r)) / math.sqrt(r))
        self.lora_B = nn.Parameter(torch.zeros((r, outputs)))
        self.scaling = alpha / r

    def forward(self, x):
        return (x @ self.lora_A @ self.lora_B) * self.scaling
