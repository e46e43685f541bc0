"""Whether a broken architecture trains worse than the same one under a sound scheme."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import torch
import torch.nn.functional as F

from zoo.specimens import Specimen

SOUND = {"weight": "he", "bias": 0.0}
TANH = {"act": "tanh", "weight": "xavier_tanh", "bias": 0.0}
MENDED: dict[str, dict[str, Any]] = {
    "drowned": {"value": 0.0},
    "rnn identity twice": {"recurrent": "orthogonal"},
    "mlp xavier 12": SOUND,
    "mlp xavier zero bias 12": SOUND,
    "mlp default 10": SOUND,
    "mlp default 12": SOUND,
    "mlp half he 10": SOUND,
    "mlp twice he 10": SOUND,
    "mlp normal 0.02 4": SOUND,
    "mlp unit normal 4": SOUND,
    "mlp sigmoid 6": TANH,
    "mlp default tanh 20": TANH,
    "mlp giant biases": SOUND,
    "mlp sure head": {"head": "normal 0.01"},
    "residual he 30": {"fixup": True},
}
"""Broken ones of which one may doubt that they are, and what is changed to mend them."""
RATES = (0.1, 0.03, 0.01, 0.001, 0.0001)
STEPS, BATCH, CLASSES = 200, 64, 10


def compare(specimens: Iterable[Specimen]) -> Iterator[tuple[str, ...]]:
    """The loss after training at the best of several learning rates: as it stands, and soundly initialized."""
    for one in specimens:
        if one.name in MENDED:
            both = one.kwargs, {**one.kwargs, **MENDED[one.name]}
            losses = [min(_trained(one, kwargs, rate) for rate in RATES) for kwargs in both]
            row = one.name, *(f"{loss:.3g}" for loss in losses)
            print(*row, sep=" | ", file=sys.stderr, flush=True)
            yield row


def _trained(one: Specimen, kwargs: dict[str, Any], rate: float) -> float:
    """The mean loss over the last tenth of the steps, by momentum SGD, on what a small fixed network says of noise.

    Ten classes by cross entropy, where chance is ln 10; for other outputs, their values by the mean squared error.
    """
    torch.manual_seed(0)
    module, _, name = one.factory.partition(":")
    model = getattr(importlib.import_module(f"zoo.{module}"), name)(**kwargs)
    shape = tuple(map(int, one.sizes[0].split(",")))[1:]
    outputs = model(torch.randn(BATCH, *shape)).shape[1:]
    inward = torch.randn(math.prod(shape), 32) / math.sqrt(math.prod(shape))
    outward = torch.randn(32, math.prod(outputs)) / math.sqrt(32)
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9)
    losses = []
    for _ in range(STEPS):
        x = torch.randn(BATCH, *shape)
        told = torch.tanh(2 * x.flatten(1) @ inward) @ outward
        said = model(x)
        if outputs != (CLASSES,):
            loss = F.mse_loss(said.flatten(1), torch.tanh(told))
        else:
            loss = F.cross_entropy(said, told.argmax(-1))
        if not loss.isfinite():
            return math.inf
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses[-STEPS // 10 :]) / (STEPS // 10)
