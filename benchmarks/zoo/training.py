"""Whether a broken architecture trains worse than the same one under a sound scheme."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
import torch.nn.functional as F

from zoo.specimens import Specimen

NOT_PLAIN = (
    "mlp default 10", "mlp default 12", "mlp default gelu 20", "mlp default tanh 20", "mlp xavier 12",
    "mlp xavier zero bias 12", "mlp xavier leaky 20", "mlp unit normal 4", "mlp normal 0.02 4", "mlp truncated",
    "mlp sigmoid 6", "mlp twice he 10", "mlp half he 10", "mlp sure deep", "mlp giant biases", "residual he 30",
)  # fmt: skip
"""Broken ones of which one may doubt that they are."""
RATES = (0.1, 0.03, 0.01, 0.001, 0.0001)
STEPS, BATCH, CLASSES = 250, 128, 10


def compare(specimens: Iterable[Specimen]) -> Iterator[tuple[str, ...]]:
    """The loss after training at the best of several learning rates: as it stands, and soundly initialized."""
    for one in specimens:
        if one.name in NOT_PLAIN:
            losses = [min(_trained(one, kwargs, rate) for rate in RATES) for kwargs in (one.kwargs, _mended(one))]
            yield one.name, *(f"{loss:.3f}" for loss in losses)


def _mended(one: Specimen) -> dict[str, Any]:
    """The arguments of the same architecture under He's scheme, or Xavier's with tanh, which a sigmoid gives way to."""
    if one.factory == "plain:Residual":
        return {**one.kwargs, "weight": "he", "fixup": True}
    act = one.kwargs.get("act", "relu")
    saturating = act in ("tanh", "sigmoid")
    weight = "xavier_tanh" if saturating else "he"
    return {**one.kwargs, "act": "tanh" if saturating else act, "weight": weight, "bias": 0.0, "head": None}


def _trained(one: Specimen, kwargs: dict[str, Any], rate: float) -> float:
    """The mean loss over the last tenth of the steps, on labels that a small fixed network gives; chance is ln 10."""
    torch.manual_seed(0)
    (size,) = one.sizes
    inputs = int(size.split(",")[1])
    one_layer, another = torch.randn(inputs, 32) / math.sqrt(inputs), torch.randn(32, CLASSES)
    module, _, name = one.factory.partition(":")
    model = getattr(importlib.import_module(f"zoo.{module}"), name)(**kwargs)
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9)
    losses = []
    for _ in range(STEPS):
        x = torch.randn(BATCH, inputs)
        labels = (torch.tanh(2 * x @ one_layer) @ another).argmax(-1)
        output = model(x)
        loss = F.nll_loss(output, labels) if kwargs.get("final") else F.cross_entropy(output, labels)
        if not loss.isfinite():
            return math.inf
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses[-STEPS // 10 :]) / (STEPS // 10)
