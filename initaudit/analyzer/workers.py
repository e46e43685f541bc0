"""Files to readings, in as many processes as pay off."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from initaudit.analyzer.reading import Judge, LostWorkerError, Reading, comments
from initaudit.files import code_bytes, held
from initaudit.finding import Observer
from initaudit.observation import Observation, Question
from initaudit.subjects.files import SyntaxFault

if TYPE_CHECKING:
    from initaudit.analyzer.prefilter import Candidate
    from initaudit.analyzer.project import Project

CHUNK = 24
RECURSION_LIMIT = 6000


class Reader:
    """One process: what it has read so far, for files that belong to those ``given``."""

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
        """Read files one after the other. What is read is kept, so that nobody looks for garbage meanwhile."""
        return list(self.each(filenames))

    def each(self, filenames: Sequence[str]) -> Iterator[Reading]:
        """Read them as they are asked for."""
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
        """What a file shows. What fails in one file does not take the others with it."""
        try:
            return self._read(filename)
        except Exception as error:
            from initaudit.analyzer.failures import described

            failed = Observation(observer=Observer.ANALYZER, source=filename, error=described(error))
            return Reading(filename=filename, observation=failed)

    def _read(self, filename: str) -> Reading:
        """By its bytes alone, where these tell that it has nothing to show."""
        raw = code_bytes(filename)
        wanted = self._wanted(raw) if raw is not None else ()
        if raw is not None and wanted is None:
            commented = Observation(observer=Observer.ANALYZER, source=filename, comments=True)
            return Reading(filename=filename, observation=commented if comments(raw) else None)
        from initaudit.analyzer.observe import read
        from initaudit.analyzer.project import Project

        if self._project is None:
            self._project = Project(self._roots, self._given, self._initializers, self._installed)
        return read(self._project, filename, wanted or (), self._judge, lambda raw: self._wanted(raw) or ())

    def _wanted(self, raw: bytes) -> Sequence[Candidate] | None:
        """What a file may hold of that which is asked for; None when it need not be looked at."""
        if b"\0" in raw:  # letters of more than one byte, as UTF-16 has them
            raw = raw.replace(b"\0", b"")
        if b"torch" not in raw:
            return None
        from initaudit.analyzer.prefilter import candidates, candidates_in

        if not candidates(self._questions):  # all that is asked for is whether the file parses
            return () if Question(SyntaxFault.__name__) in self._questions else None
        return candidates_in(raw, self._questions) or None


def read_all(filenames: Sequence[str], reader: Reader, jobs: int | None) -> Iterator[Reading]:
    """Read files, in their order; ``jobs`` is the number of processes, None one per core."""
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
    """Until all processes have started: one that is interrupted half-way would be waited for, and wait, for ever."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_reader: Reader
"""That of a worker process. The pool, and with it the process, ends with the run."""


def _start_worker(reader: Reader, texts: Mapping[str, bytes]) -> None:
    from threading import Thread

    global _reader
    _reader = reader
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # the run says that it was interrupted, and no worker does
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    held.update(texts)
    gc.disable()  # also between the files: a worker ends with the run
    Thread(target=_end_with_the_run, daemon=True).start()


def _end_with_the_run() -> None:
    """A worker whose run was killed would wait for more to do, for ever."""
    from multiprocessing import parent_process

    if (run := parent_process()) is not None:
        run.join()
        os._exit(1)


def _read_chunk(filenames: Sequence[str]) -> list[Reading]:
    return _reader.read_all(filenames)
