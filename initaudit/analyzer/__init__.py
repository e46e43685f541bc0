"""Observer 1: reads source and runs constructors symbolically. It never imports user code, and never torch."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from initaudit.facts import Observation

if TYPE_CHECKING:
    from initaudit.analyzer.project import Project

CHUNK = 8
RECURSION_LIMIT = 6000


def analyze(filenames: Sequence[str], *, codes: frozenset[str], jobs: int | None = None) -> list[Observation]:
    """What the files show of anything that the rules with these codes look at.

    Gives one observation per file that has something to say, in the order of the names. ``jobs`` is the number of
    processes (None: one per core; small runs use one). Every call reads the files anew.
    """
    from initaudit.analyzer.project import Project
    from initaudit.analyzer.triage import matters

    needed = [name for name in filenames if (raw := _bytes(name)) is None or matters(raw, codes)]
    roots = _roots(filenames)
    chunks = [needed[start : start + CHUNK] for start in range(0, len(needed), CHUNK)]
    workers = min(jobs or os.cpu_count() or 1, len(chunks))
    if workers <= 1:
        return _observe_all(Project(roots, filenames), needed, codes)
    with ProcessPoolExecutor(workers, initializer=_start_worker, initargs=(roots, filenames)) as pool:
        results = pool.map(_observe_chunk, chunks, [codes] * len(chunks))
        return [observation for result in results for observation in result]


def _bytes(filename: str) -> bytes | None:
    try:
        return Path(filename).read_bytes()
    except OSError:
        return None


def _roots(filenames: Sequence[str]) -> tuple[Path, ...]:
    """The import roots of the files."""
    from initaudit.analyzer.project import module_name

    folders = {os.path.dirname(name): name for name in filenames}  # noqa: PTH120 (called for every file of a run)
    return tuple(dict.fromkeys(module_name(Path(name))[0] for name in folders.values()))


_project: Project
"""What a worker process has read so far. The pool, and with it the process, ends with the call of ``analyze``."""


def _start_worker(roots: tuple[Path, ...], given: Sequence[str]) -> None:
    from initaudit.analyzer.project import Project

    global _project
    _project = Project(roots, given)


def _observe_chunk(filenames: Sequence[str], codes: frozenset[str]) -> list[Observation]:
    return _observe_all(_project, filenames, codes)


def _observe_all(project: Project, filenames: Sequence[str], codes: frozenset[str]) -> list[Observation]:
    """Observe files one after the other; a file that says nothing is left out."""
    from initaudit.analyzer.observe import observe

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
    try:
        found = [observe(project, filename, codes) for filename in filenames]
    finally:
        sys.setrecursionlimit(limit)
    return [o for o in found if o.parameters or o.chains or o.facts or o.undecided]
