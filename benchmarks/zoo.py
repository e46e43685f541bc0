"""The probe on the zoo: which broken architectures it catches, and whether it leaves the healthy ones alone.

    python benchmarks/zoo.py
    python benchmarks/zoo.py --train

writes ``benchmarks/results/zoo.csv`` and ``zoo.md``. No threshold was chosen by the third that is held aside,
nor by the new third (``zoo/third.py``).
``--train`` shows that broken ones train worse than the same under a sound scheme, and writes ``zoo_training.csv``.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec
import torch
from reports import write
from zoo.broken import BROKEN
from zoo.healthy import HEALTHY
from zoo.specimens import Specimen
from zoo.third import THIRD
from zoo.training import compare

from initaudit import engine
from initaudit.engine import Report, Task
from initaudit.finding import Observer, Severity
from initaudit.observers import Asking, Watched
from initaudit.probe import Target
from initaudit.probe.process.worker import observe
from initaudit.rules.dead_units import FEW
from initaudit.rules.depth import STEADY, chains, groups, middle, trend
from initaudit.settings import Overrides, load
from initaudit.timeline import SignalProfile

HERE = Path(__file__).parent
RESULTS = HERE / "results"


PARTS = ("calibration", "held aside", "new third")
MEASURES = ("decades lost", "decades gained", "discrimination", "decades of gradient", "dead", "nats above guessing")


class Outcome(NamedTuple):
    specimen: Specimen
    loud: tuple[str, ...]  # codes at warning or above
    notes: tuple[str, ...]
    extremes: tuple[float | None, ...]

    @property
    def right(self) -> bool:
        """Whether a broken one is caught by a right rule, or a healthy one left alone."""
        return bool(self.specimen.codes.intersection(self.loud)) if self.specimen.broken else not self.loud

    def row(self) -> list[str]:
        one = self.specimen
        return [
            one.name,
            "broken" if one.broken else "healthy",
            one.part,
            " ".join(sorted(one.codes)),
            " ".join(self.loud),
            " ".join(self.notes),
            "right" if self.right else "wrong",
            *("" if value is None else f"{value:.3g}" for value in self.extremes),
        ]


def probed(specimen: Specimen) -> Report:
    """What the rules that are on by default report of a specimen, which is built in this process."""
    target = Target(
        spec=f"zoo.{specimen.factory}",
        kwargs=specimen.kwargs,
        input_sizes=tuple(tuple(map(int, size.split(","))) for size in specimen.sizes),
        dtypes=(specimen.dtype,) if specimen.dtype else (),
    )

    def watch(asking: Asking) -> Watched:
        asked = msgspec.structs.replace(target, questions=asking(Observer.PROBE))
        with tempfile.TemporaryDirectory() as folder:
            return Watched(Observer.PROBE, (observe(asked, Path(folder)),))

    return engine.run(Task(configuration=load([], Overrides(), isolated=True)), [watch])


def outcome(specimen: Specimen) -> Outcome:
    report = probed(specimen)
    loud = [found.code for found in report.findings if found.severity is not Severity.NOTE]
    notes = [found.code for found in report.findings if found.severity is Severity.NOTE]
    (observation,) = report.observations
    measured = extremes(observation.signal) if observation.signal is not None else (None,) * len(MEASURES)
    return Outcome(specimen, tuple(dict.fromkeys(loud)), tuple(dict.fromkeys(notes)), measured)


def extremes(profile: SignalProfile) -> tuple[float | None, ...]:
    """The worst of each of the MEASURES."""
    scales = [trend([middle(layer.rms) or 0.0 for layer in chain]) for chain in chains(profile)]
    ends = [middle(layer.discrimination) for chain in chains(profile) for layer in chain[-1:]]
    slopes = [
        trend([middle(layer.gradient) or 0.0 for layer in group])
        for group in groups(profile)
        if not any(layer.normalized for layer in group)
    ]
    steady = [abs(slope.decades) for slope in slopes if slope is not None and slope.fit > STEADY]
    dead = [part for layer in profile.layers if (part := middle(layer.dead)) is not None and layer.units >= FEW]
    return (
        max((-one.decades for one in scales if one is not None), default=None),
        max((one.decades for one in scales if one is not None), default=None),
        min((end for end in ends if end is not None), default=None),
        max(steady, default=None),
        max(dead, default=None),
        max((excess for one in profile.losses if (excess := middle(one.excess)) is not None), default=None),
    )


def table(outcomes: list[Outcome]) -> str:
    """The confusion table: what is caught and what is left alone, by part of the zoo."""
    lines = ["| part | broken | caught by a right rule | healthy | at warning or above |", "|---|---|---|---|---|"]
    for part in PARTS:
        chosen = [one for one in outcomes if one.specimen.part == part]
        sick, well = ([one for one in chosen if one.specimen.broken is broken] for broken in (True, False))
        caught, accused = sum(one.right for one in sick), sum(not one.right for one in well)
        lines.append(f"| {part} | {len(sick)} | {caught} ({caught / len(sick):.0%}) | {len(well)} | {accused} |")
    rules = Counter(code for one in outcomes if one.specimen.broken for code in one.specimen.codes & set(one.loud))
    lines += ["", "| rule | broken architectures that it is right about |", "|---|---|"]
    lines += [f"| {code} | {count} |" for code, count in sorted(rules.items())]
    lines += ["", f"| measure | {' | '.join(f'healthy, {part}' for part in PARTS)} | broken |", "|---|---|---|---|---|"]
    for index, name in enumerate(MEASURES):
        parts = [
            span(
                one.extremes[index]
                for one in outcomes
                if one.specimen.broken is sick and (sick or one.specimen.part == part)
            )
            for sick, part in (*((False, part) for part in PARTS), (True, ""))
        ]
        lines.append(f"| {name} | {' | '.join(parts)} |")
    wrong = [one for one in outcomes if not one.right]
    lines += ["", "Wrong: " + ("none." if not wrong else "")] + [
        f"- {one.specimen.name}: reported {' '.join(one.loud) or 'nothing'}"
        + (f", expected one of {' '.join(sorted(one.specimen.codes))}" if one.specimen.broken else "")
        for one in wrong
    ]
    return "\n".join(lines) + "\n"


def span(values: Iterable[float | None]) -> str:
    """From the least to the most of what was measured."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return f"{min(known):.2g} to {max(known):.2g}" if known else ""


def main() -> None:
    torch.set_num_threads(1)
    if "--train" in sys.argv[1:]:
        rows = list(compare(BROKEN))
        write(RESULTS / "zoo_training.csv", ("architecture", "broken", "sound"), rows)
        return
    outcomes = []
    for specimen in (*HEALTHY, *BROKEN, *THIRD):
        outcomes.append(outcome(specimen))
        if not outcomes[-1].right or "-v" in sys.argv[1:]:
            print(*outcomes[-1].row(), sep=" | ", file=sys.stderr, flush=True)
    header = ("architecture", "state", "part", "right rules", "warnings and errors", "notes", "verdict", *MEASURES)
    write(RESULTS / "zoo.csv", header, (one.row() for one in outcomes))
    text = f"# The zoo\n\n`python benchmarks/zoo.py` (torch {torch.__version__}).\n\n{table(outcomes)}"
    (RESULTS / "zoo.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
