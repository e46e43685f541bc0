"""Read files, in as many processes as pay off."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from initaudit.analyzer.file.reading import Judge, LostWorkerError, Reading, comments
from initaudit.finding import Observer
from initaudit.observation import Observation, Question
from initaudit.sources.files import code_bytes, held
from initaudit.subjects.files import SyntaxFault

if TYPE_CHECKING:
    from initaudit.analyzer.prefilter import Candidate
    from initaudit.analyzer.project.names import Project

INITIALIZER = re.compile(rb"\bnn\b[\s\\]*\.[\s\\]*init\b")
CHUNK = 24
RECURSION_LIMIT = 6000


class Reader:
    """Reads files in one process, and keeps what it has read of the project of the ``given`` files."""

    def __init__(
        self,
        given: Sequence[str],
        roots: tuple[Path, ...],
        questions: frozenset[Question],
        initializers: tuple[str, ...] = (),
        installed: tuple[Path, ...] = (),
        judge: Judge | None = None,
    ) -> None:
        self._given = given
        self._roots = roots
        self._questions = questions
        self._initializers = initializers
        self._installed = installed
        self._judge = judge
        self._project: Project | None = None

    def read_all(self, filenames: Sequence[str]) -> list[Reading]:
        """Read files one after the other, without garbage collection, since everything that is read is kept."""
        return list(self.each(filenames))

    def each(self, filenames: Sequence[str]) -> Iterator[Reading]:
        """Yield the readings one by one."""
        limit, collects = sys.getrecursionlimit(), gc.isenabled()
        sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
        gc.disable()
        try:
            yield from map(self.read, filenames)
        finally:
            sys.setrecursionlimit(limit)
            if collects:
                gc.enable()

    def read(self, filename: str) -> Reading:
        """Return the reading of a file; an internal error concerns only this file."""
        try:
            return self._read(filename)
        except Exception as error:
            from initaudit.analyzer.failures import described

            failed = Observation(observer=Observer.ANALYZER, source=filename, error=described(error))
            return Reading(filename=filename, observation=failed)

    def _read(self, filename: str) -> Reading:
        """Return the reading of a file; from its bytes alone if they contain nothing of interest."""
        raw = code_bytes(filename)
        wanted = self._wanted(raw) if raw is not None else ()
        if raw is not None and wanted is None:
            commented = Observation(observer=Observer.ANALYZER, source=filename, comments=True)
            return Reading(filename=filename, observation=commented if comments(raw) else None)
        from initaudit.analyzer.observe import read
        from initaudit.analyzer.project.names import Project

        if self._project is None:
            self._project = Project(self._roots, self._given, self._initializers, self._installed)
        return read(self._project, filename, wanted or (), self._judge, lambda raw: self._wanted(raw) or ())

    def _wanted(self, raw: bytes) -> Sequence[Candidate] | None:
        """Return the requested kinds of subject that a file may contain; None if it need not be read."""
        if b"\0" in raw:  # letters of several bytes, as in UTF-16
            raw = raw.replace(b"\0", b"")
        if b"torch" not in raw and not INITIALIZER.search(raw):  # one may stand in a file that imports nothing
            return None
        from initaudit.analyzer.prefilter import candidates, candidates_in

        if not candidates(self._questions):  # only whether the file parses is of interest
            return () if Question(SyntaxFault.__name__) in self._questions else None
        return candidates_in(raw, self._questions) or None


def read_all(filenames: Sequence[str], reader: Reader, jobs: int | None) -> Iterator[Reading]:
    """Yield the readings of files in order; ``jobs`` is the number of processes (None: one per core)."""
    chunks = [filenames[start : start + CHUNK] for start in range(0, len(filenames), CHUNK)]
    workers = min(jobs or os.cpu_count() or 1, len(chunks))
    if workers <= 1:
        yield from reader.each(filenames)
        return
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    try:
        with ProcessPoolExecutor(workers, initializer=_start_worker, initargs=(reader, held)) as pool:
            with _interrupts_held_back():
                read = pool.map(_read_chunk, chunks)
            for readings in read:
                yield from readings
    except BrokenProcessPool as error:
        raise LostWorkerError("a worker process was killed; `-j 1` uses a single process and less memory") from error


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Delay interrupts until all processes have started: one that is interrupted during its start would never end."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_reader: Reader
"""The reader of a worker process, which ends with the run."""


def _start_worker(reader: Reader, texts: Mapping[str, bytes]) -> None:
    from threading import Thread

    global _reader
    _reader = reader
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # the run reports the interrupt, and the workers do not
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    held.update(texts)
    gc.disable()  # also between files: a worker ends with the run
    Thread(target=_end_with_the_run, daemon=True).start()


def _end_with_the_run() -> None:
    """End this worker when the run is killed; it would wait for more work forever."""
    from multiprocessing import parent_process

    if (run := parent_process()) is not None:
        run.join()
        os._exit(1)


def _read_chunk(filenames: Sequence[str]) -> list[Reading]:
    return _reader.read_all(filenames)
