"""What the analyzer decides about a project never contradicts what running its script shows."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from projects import NAMES, Plan, decided, expected, files, run, written_to

from initaudit.timeline import Coverage

torch = pytest.importorskip("torch")
COUNT = 30


def test_no_decision_contradicts_a_run_of_the_script() -> None:
    dice, unknown = random.Random(7), 0
    for _ in range(COUNT):
        plan = Plan.draw(dice)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            written_to(plan, folder)
            verdicts, runs = decided(folder), list(run(folder))
        for parameter in NAMES:
            unknown += verdicts[parameter] is Coverage.UNKNOWN
            shown = "\n".join(f"# {file}\n{source}" for file, source in files(plan).items())
            assert verdicts[parameter] in expected(runs, parameter, plan), f"{parameter} {plan} {runs}\n{shown}"
    assert unknown <= len(NAMES) * COUNT * 0.15
