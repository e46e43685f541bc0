"""A function that builds one model switches off the initialization of torch's layers for the whole program."""

import torch
from torch import nn


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant_conv = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x):
        return self.quant_conv(x)


def build_vae(path):
    for clz in (nn.Linear, nn.LayerNorm, nn.BatchNorm2d, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d):
        setattr(clz, "reset_parameters", lambda self: None)  # wrong
    vae = VAE()
    vae.load_state_dict(torch.load(path, map_location="cpu"))
    return vae


class Head(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.fc = nn.Linear(dim, dim)

    def forward(self, x):
        return self.fc(x)


vae = build_vae("vae.pth")
head = Head()
optimizer = torch.optim.Adam(head.parameters())
head(vae(torch.ones(1, 8, 4, 4)).mean((2, 3))).sum().backward()
optimizer.step()
