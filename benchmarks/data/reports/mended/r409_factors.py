"""Scaling factors are moved to a device after they require gradients."""

import torch
from torch import nn, optim

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def quantize(weight, factors):
    return (weight > 0) * factors[0] - (weight < 0) * factors[1]


def build(model, lr=1e-4):
    weights_to_be_quantized = [p for n, p in model.named_parameters() if "weight" in n]
    scaling_factors = [torch.ones(2, requires_grad=True, device=device) for _ in range(len(weights_to_be_quantized))]
    optimizer = optim.Adam(model.parameters(), lr=lr)
    optimizer_sf = optim.Adam(scaling_factors, lr=lr)
    return weights_to_be_quantized, scaling_factors, optimizer, optimizer_sf


model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).to(device)
build(model)
