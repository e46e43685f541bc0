"""The gain of a normalization without one is written: None has no fill_."""

import torch
from torch import nn


def get_norm(kind, channels, zero=False, **kwargs):
    bn = getattr(nn, f"BatchNorm{kind}d")(channels, **kwargs)
    bn.bias.data.fill_(1e-3)  # wrong
    bn.weight.data.fill_(0.0 if zero else 1.0)
    return bn


try:
    get_norm(2, 8, affine=False)
except AttributeError:
    pass
