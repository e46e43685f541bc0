"""Work in a forked child: a model that hangs, dies or leaks ends with it, and libraries are imported but once."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import msgspec


class Outcome(NamedTuple):
    """What became of one piece of work: its answer, or in ``error`` why there is none."""

    name: str
    answer: Any = None
    error: str = ""
    seconds: float = 0.0


def in_child(name: str, work: Callable[[str], Any], timeout: float) -> Outcome:
    """Run ``work(name)`` in a child of this process; its answer is what msgspec makes of it, as plain values."""
    began = time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os._exit(_answer(name, work, writing))
    os.close(writing)
    data, late = bytearray(), False
    while not late:
        ready, _, _ = select.select([reading], [], [], max(0.0, began + timeout - time.monotonic()))
        late = not ready
        if ready:
            block = os.read(reading, 1 << 20)
            if not block:
                break
            data += block
    os.close(reading)
    if late:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    seconds = time.monotonic() - began
    if late:
        return Outcome(name, error=f"no answer within {timeout:g} seconds", seconds=seconds)
    if not data:
        return Outcome(name, error=f"its process ended with status {status}", seconds=seconds)
    answer, error = msgspec.msgpack.decode(bytes(data))
    return Outcome(name, answer, error, seconds)


def _answer(name: str, work: Callable[[str], Any], writing: int) -> int:
    try:
        message: tuple[Any, str] = (work(name), "")
    except BaseException as error:  # whatever a library's model raises
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = last.filename.partition("site-packages/")[2] or last.filename
        words = " ".join(str(error).split())[:200]
        message = (None, f"{type(error).__name__}: {words} ({where}:{last.lineno})")
    with os.fdopen(writing, "wb") as stream:
        stream.write(msgspec.msgpack.encode(message))
    return 0


def each_in_child(
    names: Iterable[str], work: Callable[[str], Any], *, prepare: Callable[[], None], timeout: float, jobs: int
) -> Iterator[Outcome]:
    """All pieces of work, in their order, ``jobs`` at a time; ``prepare`` imports what they have in common."""
    with ProcessPoolExecutor(jobs, initializer=prepare) as pool:
        for number, outcome in enumerate(pool.map(partial(in_child, work=work, timeout=timeout), names), 1):
            said = outcome.error or "done"
            print(f"{number} {outcome.name}: {said[:120]} ({outcome.seconds:.1f} s)", file=sys.stderr, flush=True)
            yield outcome
