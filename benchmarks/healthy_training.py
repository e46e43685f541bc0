"""Whether the defects of ``healthy.py`` that are not found are defects: each is trained beside the sound model.

    python benchmarks/healthy_training.py [MODEL:DEFECT ...]   writes results/mutants_training.csv

Without arguments, all defects that ``results/mutants.csv`` has as missed are trained, if their libraries are installed.
Rows of other defects stay in the table. Both are trained for 200 steps of Adam on four fixed batches, at the better of
two learning rates; what is compared is the mean loss of the last twenty steps. A target is a fixed function of the
input.
"""

from __future__ import annotations

import csv
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import healthy as planted
import torch
from torch import nn
from torch.nn import functional

STEPS, BATCHES, SEEDS = 200, 4, (0, 1, 2)
RATES = (3e-3, 5e-4)
COLUMNS = ("model", "defect", "task", "seed", "sound", "mutant", "rate_sound", "rate_mutant")

Loss = Callable[[Any], torch.Tensor]


def first_output(returned: Any) -> torch.Tensor:
    """The tensor of a model's output that a loss is taken of."""
    if isinstance(returned, torch.Tensor):
        return returned
    if hasattr(returned, "logits"):
        return returned.logits
    return first_output(next(iter(returned)))


def loss_for(inputs: Any, output: torch.Tensor, classes: bool, seed: int) -> Loss:
    """The loss against a fixed function of the inputs: classes by position or by sample, or values."""
    generator = torch.Generator().manual_seed(seed)
    data = inputs[0] if isinstance(inputs, tuple) else inputs
    if output.dim() == 1:  # the logarithm of a density
        return lambda given: -first_output(given).mean()
    axis = 1 if output.dim() == 4 or data.dim() == 4 else -1
    size = output.shape[axis]
    if data.dtype == torch.long and output.dim() == 3:
        labels = (data * 7 + 3) % size
    elif output.dim() == 4:
        mixed = torch.einsum("bchw,kc->bkhw", data, torch.randn(size, data.shape[1], generator=generator))
        labels = functional.adaptive_avg_pool2d(mixed, output.shape[-2:]).argmax(1)
    else:
        rows = data.double().flatten(1) if output.dim() == 2 else data.double()
        labels = (rows @ torch.randn(rows.shape[-1], size, generator=generator).double()).argmax(-1)
        if output.dim() > 2 and data.dim() == 2:  # several outputs for each sample
            labels = labels[:, None].expand(-1, output.numel() // len(output) // size)
    if classes:
        return lambda given: functional.cross_entropy(first_output(given).movedim(axis, 1), labels)
    values = torch.randn(size, size, generator=generator)[labels].movedim(-1, axis)
    return lambda given: functional.mse_loss(first_output(given), values)


def trained(name: str, defect: Callable[[nn.Module], None] | None, seed: int, rate: float) -> float:
    """The loss of a model, sound or not, after it was trained at one rate; infinite when it is no number."""
    torch.manual_seed(seed)
    model = planted.build(name)
    if defect is not None:
        defect(model)
    torch.manual_seed(100 + seed)
    batches = [planted.MODELS[name][3]() for _ in range(BATCHES)]
    losses = [loss_for(one, first_output(called(model, one)), name not in VALUES, 7) for one in batches]
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    course = []
    for step in range(STEPS):
        loss = losses[step % BATCHES](called(model, batches[step % BATCHES]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        course.append(float(loss.detach()))
    last = sum(course[-20:]) / 20
    return last if math.isfinite(last) else math.inf


def called(model: nn.Module, inputs: Any) -> Any:
    return model(*inputs) if isinstance(inputs, tuple) else model(inputs)


VALUES = ("continuous", "hardnet_kornia")
"""Models whose outputs are no classes."""


def rows(asked: list[str]) -> Iterator[dict[str, str]]:
    for pair in asked:
        name, _, defect = pair.partition(":")
        for seed in SEEDS:
            best = {
                kind: min((trained(name, plant, seed, rate), rate) for rate in RATES)
                for kind, plant in (("sound", None), ("mutant", getattr(planted, defect)))
            }
            yield {
                "model": name,
                "defect": defect,
                "task": "values" if name in VALUES else "classes",
                "seed": str(seed),
                **{kind: f"{loss:.4g}" for kind, (loss, _) in best.items()},
                **{f"rate_{kind}": str(rate) for kind, (_, rate) in best.items()},
            }


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    table = planted.RESULTS / "mutants_training.csv"
    known = {(row["model"], row["defect"], row["seed"]): row for row in read(table)} if table.exists() else {}
    asked = sys.argv[1:] or [
        f"{row['model']}:{row['defect']}"
        for row in read(planted.RESULTS / "mutants.csv")
        if row["outcome"] == "missed" and planted.version(planted.MODELS[row["model"]][0])
    ]
    for row in rows(asked):
        known[row["model"], row["defect"], row["seed"]] = row
        with table.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(known.values())


def read(file: Path) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


if __name__ == "__main__":
    main()
