"""Whether mistakes in written models that are not found are defects: each is trained beside the sound model.

    python benchmarks/written_training.py MODEL:MISTAKE ...   fills the column ``trained`` of results/written_models.csv

Both are trained as ``healthy_training.py`` trains: 200 steps of Adam on four fixed batches, at the better of two
learning rates, from each of two seeds. What is written is the mean loss of the last twenty steps, for each seed.
"""

from __future__ import annotations

import csv
import math
import sys
import tempfile
import warnings
from pathlib import Path

import torch
from healthy_training import BATCHES, RATES, STEPS, called, first_output, loss_for
from written.plan import MISTAKES, MODELS, Mistake
from written_models import COLUMNS, TABLE, loaded, source

SEEDS = (0, 1)
VALUES = frozenset({
    "Adversaries", "ConvVAE", "DeepSets", "DiffusionUNet", "InstantNGP", "KAN", "PPOAgent", "SACAgent", "SiameseNet",
    "VQVAE",
})  # fmt: skip
"""Models whose outputs are no classes."""


def trained(model: str, mistake: Mistake | None, seed: int, rate: float) -> float:
    """The loss of a model after it was trained at one rate; infinite when it is no number."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{model.lower()}_{mistake.name if mistake else 'sound'}.py"
        file.write_text(source(model, mistake)[0], encoding="utf-8")
        make = getattr(loaded(file), model)
        torch.manual_seed(seed)
        built = make()
    torch.manual_seed(100 + seed)
    batches = [MODELS[model][1]() for _ in range(BATCHES)]
    losses = [loss_for(one, first_output(called(built, one)), model not in VALUES, 7) for one in batches]
    optimizer = torch.optim.Adam([one for one in built.parameters() if one.requires_grad], lr=rate)
    course = []
    for step in range(STEPS):
        loss = losses[step % BATCHES](called(built, batches[step % BATCHES]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        course.append(float(loss.detach()))
    last = sum(course[-20:]) / 20
    return last if math.isfinite(last) else math.inf


def best(model: str, mistake: Mistake | None) -> str:
    losses = [min(trained(model, mistake, seed, rate) for rate in RATES) for seed in SEEDS]
    return " and ".join(f"{loss:.3g}" for loss in losses)


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    sound: dict[str, str] = {}
    for asked in sys.argv[1:]:
        model, _, name = asked.partition(":")
        mistake = next(one for one in MISTAKES if (one.model, one.name) == (model, name))
        sound[model] = sound.get(model) or best(model, None)
        said = f"{sound[model]} sound, {best(model, mistake)} with the mistake"
        print(asked, said, flush=True)
        with TABLE.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        for row in rows:
            if (row["model"], row["mistake"]) == (model, name):
                row["trained"] = said
        with TABLE.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
