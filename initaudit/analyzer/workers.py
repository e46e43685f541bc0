"""Files to readings, in as many processes as pay off."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from initaudit.analyzer.observe import read
from initaudit.analyzer.project import Project
from initaudit.analyzer.reading import Reading

CHUNK = 8
RECURSION_LIMIT = 6000


def read_all(
    filenames: Sequence[str],
    given: Sequence[str],
    roots: tuple[Path, ...],
    codes: frozenset[str],
    jobs: int | None,
) -> Iterator[Reading]:
    """Read files that belong to those ``given``; ``jobs`` is the number of processes, None one per core."""
    chunks = [filenames[start : start + CHUNK] for start in range(0, len(filenames), CHUNK)]
    workers = min(jobs or os.cpu_count() or 1, len(chunks))
    if workers <= 1:
        yield from _read_chunk(filenames, codes, Project(roots, given))
        return
    with ProcessPoolExecutor(workers, initializer=_start_worker, initargs=(roots, given)) as pool:
        for readings in pool.map(_read_chunk, chunks, [codes] * len(chunks)):
            yield from readings


_project: Project
"""What a worker process has read so far. The pool, and with it the process, ends with the run."""


def _start_worker(roots: tuple[Path, ...], given: Sequence[str]) -> None:
    global _project
    _project = Project(roots, given)


def _read_chunk(filenames: Sequence[str], codes: frozenset[str], project: Project | None = None) -> list[Reading]:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
    try:
        return [read(project or _project, filename, codes) for filename in filenames]
    finally:
        sys.setrecursionlimit(limit)
