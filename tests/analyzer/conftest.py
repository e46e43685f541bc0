"""What tests of the analyzer share: a small project on disk, and what is said about it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from initaudit.analyzer import analyze
from initaudit.engine import Judge
from initaudit.finding import Observer
from initaudit.observation import Observation
from initaudit.rules import catalogue, questions
from initaudit.timeline import Coverage

HEAD = "import math\nimport torch\nfrom torch import nn\n"

Analysis = Callable[..., dict[str, Observation]]


@pytest.fixture
def analyzed(tmp_path: Path) -> Analysis:
    """Writes files, given by name without ``.py``, and gives what the analyzer sees in each."""

    def write_and_analyze(**files: str) -> dict[str, Observation]:
        for name, source in files.items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(HEAD + textwrap.dedent(source), encoding="utf-8")
        names = [str(tmp_path / f"{name}.py") for name in files]
        seen = {
            Path(found.source).stem: found
            for found in analyze(names, questions=questions(catalogue().values(), Observer.ANALYZER), jobs=1)
        }
        empty = {name: Observation(observer=found.observer, source=name) for found in seen.values() for name in files}
        return {**empty, **seen}

    return write_and_analyze


@pytest.fixture
def unbuilt(tmp_path: Path, analyzed: Analysis) -> Callable[..., bool]:
    """Writes files, and says whether something is reported of ``nets``, in a class that no program builds."""

    def is_unbuilt(**files: str) -> bool:
        analyzed(**files)
        names = [str(tmp_path / f"{name}.py") for name in files]
        asked = questions(catalogue().values(), Observer.ANALYZER)
        seen = {Path(one.source).stem: one for one in analyze(names, questions=asked, jobs=1, judge=Judge())}
        return bool(seen["nets"].unbuilt)

    return is_unbuilt


@pytest.fixture
def unwritten(analyzed: Analysis) -> Callable[..., set[str]]:
    """Writes files, and names the parameters that the analyzer says are not (wholly) written."""

    def names(**files: str) -> set[str]:
        return {
            parameter.name
            for observation in analyzed(**files).values()
            for parameter in observation.parameters
            if parameter.coverage in (Coverage.NEVER, Coverage.PARTIAL)
        }

    return names


@pytest.fixture
def decided(analyzed: Analysis) -> Callable[..., dict[str, tuple[str, str | None]]]:
    """Writes files, and gives the coverage of each parameter and where it has a gap."""

    def verdicts(**files: str) -> dict[str, tuple[str, str | None]]:
        seen = analyzed(**files).values()
        return {each.name: (each.coverage.value, each.gap) for one in seen for each in one.parameters}

    return verdicts
