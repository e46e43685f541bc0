"""Whether defects that the probe reports in released models matter: each is trained beside the same model, mended.

    python benchmarks/released_training.py [MODEL ...]   writes results/released_training.csv

Both are trained by Adam on fixed batches, at the better of two learning rates; what is compared is the mean loss of the
last tenth of the steps. Models are built as ``healthy.py`` builds them, in the default arguments of their library where
these decide. Rows of other models stay in the table.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import healthy
import torch
from healthy_training import read
from reports import write
from torch import nn
from torch.nn import functional

TABLE = Path(__file__).parent / "results" / "released_training.csv"
COLUMNS = (
    "model",
    "library",
    "seed",
    "mended",
    "loss as released",
    "loss mended",
    "start as released",
    "start mended",
    "remark",
)

Loss = Callable[[nn.Module], torch.Tensor]


class Forecaster(nn.Module):
    """A dilated recurrent network of the library and a linear head: the next value of eight series."""

    def __init__(self, rnn: nn.Module) -> None:
        super().__init__()
        self.rnn, self.head = rnn, nn.Linear(128, 8)

    def forward(self, series: torch.Tensor) -> torch.Tensor:
        return self.head(self.rnn(series)[0][-1])  # type: ignore[no-any-return]


class Defect(NamedTuple):
    """How a model is mended, what it is trained for, and what else is to be said of it after training."""

    mended: str
    mend: Callable[[nn.Module], None]
    task: Callable[[], Loss]
    steps: int = 200
    rates: tuple[float, ...] = (3e-3, 5e-4)
    seeds: tuple[int, ...] = (0, 1)
    remark: Callable[[nn.Module], str] = lambda model: ""


def letters() -> Loss:
    """One letter for each of 16 utterances."""
    heard, labels = torch.randn(16, 64, 24), torch.randint(0, 40, (16,))
    return lambda model: functional.nll_loss(model(heard).mean(-1), labels)


def rectified(model: nn.Module) -> None:
    for layer in model.modules():
        if isinstance(layer, nn.Conv1d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)


def sines() -> Loss:
    """The next 16 of 80 steps of sines with noise, by the quantile loss."""
    phase, pace = 6.28 * torch.rand(64, 1), 0.2 + torch.rand(64, 1)
    series = torch.sin(phase + pace * torch.arange(80)) + 0.1 * torch.randn(64, 80)
    quantiles = torch.tensor([0.1, 0.5, 0.9])[:, None]

    def loss(model: nn.Module) -> torch.Tensor:
        apart = series[:, None, 64:] - model(series[:, :64])
        return torch.maximum(quantiles * apart, (quantiles - 1) * apart).mean()

    return loss


def as_meant(model: Any) -> None:
    """Call the initializer that the library wrote for these blocks."""
    for block in (model.model.input_patch_embedding, model.model.output_patch_embedding):
        model.model._init_weights(block)


def previous(sentences: int = 64) -> Loss:
    """The token before each of 16."""
    said = torch.randint(0, 64, (sentences, 16))
    return lambda model: functional.cross_entropy(model(said)[:, 1:].flatten(0, 1), said[:, :-1].flatten())


def scaled(model: nn.Module) -> None:
    for name, one in model.named_parameters():
        if name.endswith((".Wh", ".Uh")):
            nn.init.normal_(one, std=len(one) ** -0.5)


def spread(model: nn.Module) -> None:
    for name, one in model.named_parameters():
        if name.endswith("persistent_memory"):
            nn.init.normal_(one, std=0.02)


def following() -> Loss:
    """The next of 24 steps of eight sines."""
    phase, pace = 6.28 * torch.rand(64, 8), 0.2 + torch.rand(64, 8)
    series = torch.sin(phase + pace * torch.arange(25)[:, None, None])
    return lambda model: functional.mse_loss(model(series[:-1]), series[-1])


def by_size(model: nn.Module) -> None:
    """Draw recurrent weights as torch's own recurrent layers do."""
    for name, one in model.named_parameters():
        if ".cell." in name:
            nn.init.uniform_(one, -(128**-0.5), 128**-0.5)


def alike(model: nn.Module) -> str:
    kept = [one.detach() for name, one in model.named_parameters() if name.endswith("persistent_memory")]
    apart = max(float((one - one[:, :, :1]).abs().max()) for one in kept)
    size = max(float(one.abs().max()) for one in kept)
    return f"persistent tokens differ by at most {apart:.2g}, at a size of {size:.2g}"


OTHERS: dict[str, tuple[str, str, Callable[[Any], nn.Module], Callable[[], Any]]] = {
    "dilated": (
        "neuralforecast",
        "neuralforecast.models.dilated_rnn",
        lambda m: Forecaster(m.DRNN(8, 128, 2, [1, 2], dropout=0, cell_type="ResLSTM")),
        lambda: torch.randn(24, 64, 8),
    ),
}
"""Models that are in no set of sound ones."""
healthy.MODELS |= OTHERS
DEFECTS = {
    "wav2letter": Defect("Kaiming's scheme, biases of zero", rectified, letters, 30, (1e-4,), (0,)),
    "bolt": Defect("blocks as its own `_init_weights` draws them", as_meant, sines),
    "mega": Defect("Wh and Uh divided by the root of their inputs", scaled, previous, 200, (3e-3,)),
    "dilated": Defect("U(-h^-0.5, h^-0.5)", by_size, following),
    "titans": Defect("tokens of N(0, 0.02)", spread, lambda: previous(4), 20, (3e-3,), (0,), alike),
}


def trained(name: str, mend: Callable[[nn.Module], None] | None, seed: int, rate: float) -> tuple[float, float, str]:
    """The loss after and before training, and the remark; infinite when it is no number."""
    defect = DEFECTS[name]
    torch.manual_seed(seed)
    model = healthy.build(name)
    if mend is not None:
        mend(model)
    torch.manual_seed(100 + seed)
    loss_of, course = defect.task(), []
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(defect.steps):
        loss = loss_of(model)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        course.append(float(loss.detach()))
    last = course[-max(defect.steps // 10, 1) :]
    mean = sum(last) / len(last)
    return mean if math.isfinite(mean) else math.inf, course[0], defect.remark(model)


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    known = {(row["model"], row["seed"]): tuple(row.values()) for row in read(TABLE)} if TABLE.exists() else {}
    for name in sys.argv[1:] or DEFECTS:
        for seed in DEFECTS[name].seeds:
            best = [
                min(trained(name, mend, seed, rate) for rate in DEFECTS[name].rates)
                for mend in (None, DEFECTS[name].mend)
            ]
            library = healthy.MODELS[name][0]
            losses = (*(f"{one[0]:.3g}" for one in best), *(f"{one[1]:.3g}" for one in best))
            remark = "; ".join(dict.fromkeys(one[2] for one in best))
            known[name, str(seed)] = (
                name, f"{library} {healthy.version(library)}", str(seed), DEFECTS[name].mended, *losses, remark,
            )  # fmt: skip
            print(*known[name, str(seed)], sep=" | ", file=sys.stderr, flush=True)
            write(TABLE, COLUMNS, list(known.values()))


if __name__ == "__main__":
    main()
