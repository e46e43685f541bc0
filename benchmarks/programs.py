"""Random projects, really run: does what the analyzer decides agree, and how much does it decide?

    python benchmarks/programs.py --minutes 60 --seed 1

Each project is a package with a script (`tests/projects.py`), run with and without its option under poisoned memory.
"""

from __future__ import annotations

import argparse
import collections
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from projects import NAMES, Plan, decided, expected, run, written_to
from reports import write

from initaudit.timeline import Coverage


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/programs.csv"))
    arguments = parser.parse_args()

    dice, end = random.Random(arguments.seed), time.monotonic() + 60 * arguments.minutes
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    seen: set[Plan] = set()
    while time.monotonic() < end:
        plan = Plan.draw(dice)
        if plan in seen:
            continue
        seen.add(plan)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            written_to(plan, folder)
            verdicts, runs = decided(folder), list(run(folder))
        for parameter, verdict in verdicts.items():
            agrees = verdict in expected(runs, parameter, plan)
            outcome = "contradicted" if not agrees else "undecided" if verdict is Coverage.UNKNOWN else "agreed"
            counts[plan.writer, outcome] += 1
            if not agrees:
                print("contradicted", parameter, verdict.value, runs, plan, flush=True)
    writers = sorted({writer for writer, _ in counts})
    outcomes = ("agreed", "undecided", "contradicted")
    write(arguments.output, ("writer", *outcomes), ([w, *(counts[w, o] for o in outcomes)] for w in writers))
    totals = {outcome: sum(counts[w, outcome] for w in writers) for outcome in outcomes}
    decided_part = 1 - totals["undecided"] / max(1, len(seen) * len(NAMES))
    print(f"{len(seen)} projects, {totals}, {decided_part:.0%} decided")


if __name__ == "__main__":
    main()
