"""Whether a broken architecture trains worse than the same one under a sound scheme."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F

from zoo.specimens import Specimen

RATES = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0001)
STEPS, BATCH, CLASSES = 300, 128, 10


def compare(specimens: Iterable[Specimen]) -> Iterator[tuple[str, str, str]]:
    """The loss after training, at the best of several learning rates: as it stands, and under He's or Xavier's scheme."""
    for one in specimens:
        if "weight" in one.kwargs or "depth" in one.kwargs:
            if one.factory.split(":")[1] in ("MLP", "Convolutions") and one.kwargs.get("precision") is None:
                tanh = one.kwargs.get("act") in ("tanh", "sigmoid")
                mended = {**one.kwargs, "weight": "xavier_tanh" if tanh else "he", "bias": 0.0, "head": None}
                mended.pop("head") if "Convolutions" in one.factory else None
                if one.kwargs.get("act") == "sigmoid":
                    mended["act"] = "tanh"
                losses = [min(_trained(one, kwargs, rate) for rate in RATES) for kwargs in (one.kwargs, mended)]
                print(one.name, *(f"{loss:.3f}" for loss in losses), flush=True)
                yield one.name, *(f"{loss:.3f}" for loss in losses)


def _trained(one: Specimen, kwargs: dict[str, object], rate: float) -> float:
    """The mean loss over the last tenth of the steps, on labels that a small fixed network gives; chance is ln 10."""
    torch.manual_seed(0)
    shape = tuple(map(int, one.sizes[0].split(",")))[1:]
    teacher = torch.randn(math.prod(shape), 32) / math.prod(shape) ** 0.5, torch.randn(32, CLASSES)
    module, _, name = one.factory.partition(":")
    model = getattr(importlib.import_module(f"zoo.{module}"), name)(**kwargs)
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9)
    losses = []
    for _ in range(STEPS):
        x = torch.randn(BATCH, *shape)
        labels = (torch.tanh(2 * x.flatten(1) @ teacher[0]) @ teacher[1]).argmax(-1)
        loss = F.cross_entropy(model(x), labels)
        if not loss.isfinite():
            return math.inf
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses[-STEPS // 10 :]) / (STEPS // 10)
