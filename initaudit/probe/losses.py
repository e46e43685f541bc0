"""The loss that a classifier starts with, where it is sure that an output is over classes."""

from __future__ import annotations

import math

import msgspec
import torch

from initaudit.probe.follow import Use

COUNTS = ("num_classes", "n_classes", "num_labels", "n_labels", "vocab_size")
"""How models, and the configurations they keep, call the number of classes."""
NEARLY_ONE = 1e-3
TINY = 1e-38


class Loss(msgspec.Struct, frozen=True):
    """Nats above ln(classes), on average over samples and over all labels, with the standard error."""

    classes: int
    excess: float
    error: float
    known_by: str


def initial_loss(model: torch.nn.Module, use: Use, output: torch.Tensor) -> Loss | None:
    """The cross entropy of an output that is over classes, for labels that are all equally likely.

    It is over classes when the model ends in a softmax, or when it, or its configuration, says how many classes there
    are and its last weight gives that many numbers. The latter are taken for logits.
    """
    classes = use.units
    axis = next((axis for axis in (-1, 1) if output.dim() > 1 and output.shape[axis] == classes), None)
    if axis is None or classes < 2 or not output.is_floating_point():
        return None
    values = output.transpose(axis, -1).reshape(-1, classes).double()
    match use.activation:
        case "log_softmax":
            logarithms = values
        case "softmax":
            logarithms = values.clamp_min(TINY).log()
        case None if (count := _counted(model, classes)) is not None:
            return _loss(torch.log_softmax(values, dim=-1), count)
        case _:
            return None
    total = logarithms.exp().sum(dim=-1)
    return _loss(logarithms, use.activation) if bool(((total - 1).abs() < NEARLY_ONE).all()) else None


def _counted(model: torch.nn.Module, classes: int) -> str | None:
    """The attribute that gives this number of classes."""
    for owner in (model, getattr(model, "config", None)):
        for name in COUNTS:
            if type(getattr(owner, name, None)) is int and getattr(owner, name) == classes:
                return name
    return None


def _loss(logarithms: torch.Tensor, known_by: str) -> Loss:
    samples, classes = logarithms.shape
    excess = -logarithms.mean(dim=-1) - math.log(classes)
    error = float(excess.std(correction=0)) / math.sqrt(samples)
    return Loss(classes, float(excess.mean()), error, known_by)
