"""The analyzer: read source and run constructors symbolically, without importing user code or torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from initaudit.analyzer.file.layout import import_roots, installed_packages, with_other_names
from initaudit.analyzer.file.reading import Reading
from initaudit.observation import Headway, Observation, Question, Tell, silent
from initaudit.sources.files import held

if TYPE_CHECKING:
    from initaudit.analyzer.file.reading import Judge


def analyze(
    filenames: Sequence[str],
    *,
    questions: frozenset[Question],
    only: Collection[str] | None = None,
    initializers: tuple[str, ...] = (),
    jobs: int | None = None,
    cache: Path | None = None,
    site_packages: bool = False,
    judge: Judge | None = None,
    tell: Tell = silent,
) -> list[Observation]:
    """Return one observation for each file that has something to report or is undecided, ordered by name.

    If ``only`` some files are observed, the others are the project around them, and are read if a name refers to them.
    ``initializers`` are patterns of the dotted names of functions that initialize their arguments. ``jobs`` is the
    number of processes (None: one per core; small runs use one). ``cache`` is the folder with the results of earlier
    runs (None: no cache); it is not used if texts are ``held`` in place of files. ``site_packages`` says whether names
    may refer to installed packages. ``judge`` applies the rules: where it reports something, the code around is read
    again with libcst, that result is returned, and fixes are proved; without it, the result of Python's parser is
    returned. ``tell`` is called with the number of files read so far.
    Raises ``reading.LostWorkerError`` if one of the processes is killed.
    """
    from initaudit.analyzer.workers import Reader, read_all

    roots = import_roots(filenames)
    installed = installed_packages() if site_packages else ()
    reader = Reader(filenames, roots, questions, initializers, installed, judge)
    asked = filenames if only is None else [name for name in filenames if name in only]
    if cache is None or held:
        readings = _told(read_all(asked, reader, jobs), len(asked), tell)
    else:
        from initaudit.analyzer.cache import Cache

        kept = Cache(cache, (*roots, *installed), questions, initializers, with_other_names(filenames))
        unread = [name for name in asked if name not in kept]
        kept.keep(_told(read_all(unread, reader, jobs), len(unread), tell))
        readings = map(kept.reading, asked)
    return [reading.observation for reading in readings if reading.observation is not None]


def _told(readings: Iterable[Reading], total: int, tell: Tell) -> Iterator[Reading]:
    """Yield each reading, and report the progress."""
    for done, reading in enumerate(readings, 1):
        tell(Headway("reading files", done=done, total=total))
        yield reading
