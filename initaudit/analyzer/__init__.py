"""Observer 1: reads source and runs constructors symbolically. It never imports user code, and never torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from initaudit.analyzer.layout import import_roots, installed_packages
from initaudit.analyzer.reading import Reading
from initaudit.files import held
from initaudit.observation import Headway, Observation, Question, Tell, silent

if TYPE_CHECKING:
    from initaudit.analyzer.reading import Judge


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
    """What the files show of anything that is asked for.

    Gives one observation per file that has something to say, in the order of the names; where ``only`` some are asked
    about, the others are the project around them, and are read where a name leads there. ``initializers`` are
    patterns of the dotted names of functions that initialize whatever they are given. ``jobs`` is the number of
    processes (None: one per core; small runs use one). ``cache`` is the folder of what earlier runs read (None: every
    file is read anew, and nothing is kept), which is of files: where texts are ``held`` in their place, it is not used.
    ``site_packages`` says whether names may lead to installed packages. ``judge`` knows where there is
    something to report of what was observed: the slices around are read again losslessly, this is what is given, and
    fixes are proved. Without one, what Python's parser shows is given. ``tell`` is told how many files were read.
    Raises ``reading.LostWorkerError`` when one of the processes is killed.
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

        kept = Cache(cache, (*roots, *installed), questions, initializers)
        unread = [name for name in asked if name not in kept]
        kept.keep(_told(read_all(unread, reader, jobs), len(unread), tell))
        readings = map(kept.reading, asked)
    return [reading.observation for reading in readings if reading.observation is not None]


def _told(readings: Iterable[Reading], total: int, tell: Tell) -> Iterator[Reading]:
    """Tell of each file that was read."""
    for done, reading in enumerate(readings, 1):
        tell(Headway("reading files", done=done, total=total))
        yield reading
