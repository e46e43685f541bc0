"""A mistake in a copy of a sound architecture, as its author would make it."""

import copy
import importlib

import torch
from torch import nn

from zoo.blocks import WEIGHTED


def layers(model):
    """Linear layers and convolutions, without the first and the last."""
    return [one for one in model.modules() if isinstance(one, WEIGHTED)][1:-1]


def middle(model):
    found = layers(model)
    return found[len(found) // 2]


def unit(model):
    for layer in layers(model):
        nn.init.normal_(layer.weight, std=1.0)


def small(model):
    for layer in layers(model):
        nn.init.normal_(layer.weight, std=0.1 / layer.weight[0].numel() ** 0.5)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def dead(model):
    for layer in layers(model):
        if layer.bias is not None:
            nn.init.constant_(layer.bias, -20.0)


def zero(model):
    for layer in layers(model):
        nn.init.zeros_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def alike(model):
    for layer in layers(model):
        nn.init.constant_(layer.weight, 0.05)


def raw(model):
    layer = middle(model)
    layer.weight = nn.Parameter(torch.empty(layer.weight.shape))


def half(model):
    layer = middle(model)
    layer.weight = nn.Parameter(torch.empty(layer.weight.shape))
    nn.init.kaiming_normal_(layer.weight.data[: len(layer.weight) // 2])


def infinite(model):
    middle(model).weight.data.div_(0.0)


def sure(model):
    last = [one for one in model.modules() if isinstance(one, WEIGHTED)][-1]
    nn.init.normal_(last.weight, std=50 / last.weight[0].numel() ** 0.5)


def copies(model):
    lists = [one for one in model.modules() if isinstance(one, nn.ModuleList | nn.Sequential) and len(one) > 1]
    blocks = next(one for one in lists if type(one[0]) is type(one[1]) and any(True for _ in one[0].parameters()))
    for index in range(1, len(blocks)):
        blocks[index] = copy.deepcopy(blocks[0])


class Planted(nn.Module):
    """The architecture ``of`` with the mistake ``fault``."""

    def __init__(self, of, fault, **kwargs):
        super().__init__()
        module, _, name = of.partition(":")
        self.model = getattr(importlib.import_module(f"zoo.{module}"), name)(**kwargs)
        globals()[fault](self.model)

    def forward(self, *inputs):
        return self.model(*inputs)
