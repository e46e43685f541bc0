"""Observer 1: reads source and runs constructors symbolically. It never imports user code, and never torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from initaudit.analyzer.layout import import_roots
from initaudit.analyzer.reading import Reading
from initaudit.analyzer.triage import comments, matters
from initaudit.facts import Observation
from initaudit.finding import Observer


def analyze(
    filenames: Sequence[str], *, codes: frozenset[str], jobs: int | None = None, cache: Path | None = None
) -> list[Observation]:
    """What the files show of anything that the rules with these codes look at.

    Gives one observation per file that has something to say, in the order of the names. ``jobs`` is the number of
    processes (None: one per core; small runs use one). ``cache`` is the folder of what earlier runs read (None: every
    file is read anew, and nothing is kept).
    """
    roots = import_roots(filenames)
    if cache is None:
        readings = _read(filenames, filenames, roots, codes, jobs)
    else:
        from initaudit.analyzer.cache import Cache

        kept = Cache(cache, roots, codes)
        kept.keep(_read([name for name in filenames if name not in kept], filenames, roots, codes, jobs))
        readings = map(kept.reading, filenames)
    return [reading.observation for reading in readings if reading.observation is not None]


def _read(
    filenames: Sequence[str],
    given: Sequence[str],
    roots: tuple[Path, ...],
    codes: frozenset[str],
    jobs: int | None,
) -> Iterator[Reading]:
    """Read files, in their order; where the bytes show that nothing can be found, by these alone."""
    glances = {name: _glance(name, codes) for name in filenames}
    needed = [name for name, glance in glances.items() if glance is None]
    if not needed:
        yield from filter(None, glances.values())
        return
    from initaudit.analyzer.workers import read_all

    readings = read_all(needed, given, roots, codes, jobs)
    for glance in glances.values():
        yield glance or next(readings)


def _glance(filename: str, codes: frozenset[str]) -> Reading | None:
    """What the bytes of a file say; None when it has to be read."""
    try:
        raw = Path(filename).read_bytes()
    except OSError:
        return None
    if matters(raw, codes):
        return None
    commented = Observation(observer=Observer.ANALYZER, source=filename, comments=True) if comments(raw) else None
    return Reading(filename=filename, observation=commented)
