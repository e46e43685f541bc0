"""Measure the memory of a process and its children. A limit on address space would break torch, which reserves much."""

from __future__ import annotations

PART = 0.9
"""Of what is available when a probe starts: more than this, and the machine would begin to swap or to kill."""


def available() -> int | None:
    """Bytes that a probe may take when nobody says; None where nothing tells."""
    try:
        import psutil
    except ImportError:
        return None
    return int(psutil.virtual_memory().available * PART)


def share(jobs: int) -> int | None:
    """Bytes that each of several probes may take at a time; None for one alone, which may take what is free then."""
    free = available() if jobs > 1 else None
    return None if free is None else free // jobs


def resident(pid: int) -> int:
    """Bytes that a process and its children hold; 0 when it is gone."""
    try:
        import psutil
    except ImportError:
        return 0
    total = 0
    try:
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.Error:
        return total
    return total
