"""Observer 1: reads source and runs constructors symbolically. It never imports user code, and never torch."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from initaudit.facts import Observation

CHUNK = 8
RECURSION_LIMIT = 6000


def analyze(filenames: Sequence[str], *, codes: frozenset[str], jobs: int | None = None) -> list[Observation]:
    """What the files show of anything that the rules with these codes look at.

    Gives one observation per file that has something to say, in the order of the names. ``jobs`` is the number of processes
    (None: one per core; small runs use one).
    """
    from initaudit.analyzer.triage import matters

    needed = [name for name in filenames if (raw := _bytes(name)) is None or matters(raw, codes)]
    roots = _roots(filenames)
    workers = min(jobs or os.cpu_count() or 1, (len(needed) + CHUNK - 1) // CHUNK)
    if workers <= 1:
        found = _observe_all(needed, codes, roots)
    else:
        chunks = [needed[start : start + CHUNK] for start in range(0, len(needed), CHUNK)]
        with ProcessPoolExecutor(workers) as pool:
            results = pool.map(_observe_all, chunks, [codes] * len(chunks), [roots] * len(chunks))
            found = [observation for result in results for observation in result]
    return found


def _bytes(filename: str) -> bytes | None:
    try:
        return Path(filename).read_bytes()
    except OSError:
        return None


def _roots(filenames: Sequence[str]) -> tuple[Path, ...]:
    """The import roots of the files."""
    from initaudit.analyzer.project import module_name

    folders = {os.path.dirname(name): name for name in filenames}  # noqa: PTH120
    return tuple(dict.fromkeys(module_name(Path(name))[0] for name in folders.values()))


_project: tuple[tuple[Path, ...], object] | None = None


def _observe_all(filenames: Sequence[str], codes: frozenset[str], roots: tuple[Path, ...]) -> list[Observation]:
    """Observe files one after the other, with one project for all that this process sees."""
    from initaudit.analyzer.observe import observe
    from initaudit.analyzer.project import Project

    global _project
    if _project is None or _project[0] != roots:
        project = Project(roots)
        _project = (roots, project)
    else:
        assert isinstance(_project[1], Project)
        project = _project[1]
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
    try:
        found = [observe(project, filename, codes) for filename in filenames]
    finally:
        sys.setrecursionlimit(limit)
    return [o for o in found if o.parameters or o.chains or o.facts or o.undecided]
