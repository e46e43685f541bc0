"""What the probe costs beside what anyone pays: building a model, and running it forward and backward once.

    python benchmarks/cost.py

takes ResNet-50, ViT-B/16 and GPT-2 small at full size, from their configurations, and writes
``benchmarks/results/cost.md``. All of it runs in one process and on one thread, side by side; times are processor time,
the least of several rounds, so that other work on the machine does not count. Needs transformers, timm, and no network.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from small import quiet

from initaudit.finding import Place
from initaudit.observation import Question
from initaudit.probe import Target
from initaudit.probe.audit.audit import Audit
from initaudit.probe.record.poison import control_build, seed_everything
from initaudit.probe.record.watch import tensors_in
from initaudit.probe.signal.propagate import plain_outputs
from initaudit.probe.target.libraries import LIBRARIES
from initaudit.subjects.weights import EqualUnits, ZeroFactors

RESULTS = Path(__file__).resolve().parent / "results"
MODELS: dict[str, Callable[[], torch.Tensor]] = {
    "timm:resnet50": lambda: torch.randn(2, 3, 224, 224),
    "timm:vit_base_patch16_224": lambda: torch.randn(2, 3, 224, 224),
    "hf:gpt2": lambda: torch.randint(0, 50_000, (4, 64)),
}
TRAINED = frozenset(Question(fact.__name__) for fact in (EqualUnits, ZeroFactors))


class Times(msgspec.Struct, kw_only=True):
    """Seconds of the processor, round by round."""

    build: list[float] = msgspec.field(default_factory=list)
    audit: list[float] = msgspec.field(default_factory=list)
    passes: list[float] = msgspec.field(default_factory=list)
    analysis: list[float] = msgspec.field(default_factory=list)
    training: list[float] = msgspec.field(default_factory=list)


def seconds(work: Callable[[], Any], into: list[float]) -> Any:
    began = time.process_time()
    result = work()
    into.append(time.process_time() - began)
    return result


def measured(spec: str, rounds: int) -> Times:
    """Build, audit, run, analyse, and train, one after the other, in each round."""
    library, _, name = spec.partition(":")
    make, inputs, times = LIBRARIES[library](name), MODELS[spec](), Times()
    target = Target(spec=spec, inputs=((inputs,), {}), questions=TRAINED)

    def build() -> torch.nn.Module:
        seed_everything(0)
        return make()

    def exact() -> Audit:
        audit = Audit(target, make, Place(spec, 1, 1, 1, 2), control_build(make, 0))
        audit.compare()
        audit.observation()
        return audit

    for _ in range(rounds):
        model = seconds(build, times.build)
        audit = seconds(exact, times.audit)
        seconds(lambda: forward_and_backward(model, inputs), times.passes)  # noqa: B023
        seconds(audit.follow, times.analysis)
        seconds(audit.train, times.training)
    return times


def forward_and_backward(model: torch.nn.Module, inputs: torch.Tensor) -> None:
    outputs = [one for one in tensors_in(plain_outputs(model(inputs))) if one.requires_grad]
    torch.autograd.backward(outputs, [torch.randn_like(one) for one in outputs])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(MODELS), metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULTS / "cost.md")
    arguments = parser.parse_args()

    quiet()
    lines = ["# What the probe costs", "", f"`python benchmarks/cost.py` ({versions()}), one thread, processor time."]
    lines += [
        "",
        "| model | build | exact audit | ratio | forward and backward | analysis | ratio | training | ratio |",
    ]
    lines += ["|---|---|---|---|---|---|---|---|---|"]
    for spec in arguments.models:
        times = measured(spec, arguments.rounds)
        least = {name: min(values) for name, values in msgspec.structs.asdict(times).items()}
        ratios = [
            statistics.median(part / whole for part, whole in zip(parts, wholes, strict=True))
            for parts, wholes in (
                (times.audit, times.build),
                (times.analysis, times.passes),
                (times.training, times.passes),
            )
        ]
        cells = [f"{least['build']:.2f} s", f"{least['audit']:.2f} s", f"{ratios[0]:.1f}", f"{least['passes']:.2f} s"]
        cells += [f"{least['analysis']:.2f} s", f"{ratios[1]:.1f}", f"{least['training']:.2f} s", f"{ratios[2]:.1f}"]
        lines.append(f"| {spec} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


def versions() -> str:
    return ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "timm"))


if __name__ == "__main__":
    main()
