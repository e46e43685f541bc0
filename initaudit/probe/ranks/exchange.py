"""Messages between ranks, through the store of the default process group.

This works with every backend, does not interfere with the collectives of the user, and shows which rank did not
answer.
"""

from __future__ import annotations

import contextlib
import datetime
import time
import zlib
from collections.abc import Iterable
from typing import Any

import torch.distributed as dist

PIECE = 1 << 22
"""Bytes of one value in a store, which refuses longer ones."""


class Exchanges:
    """Counts the completed exchanges; a failed exchange is repeated under the same keys."""

    def __init__(self) -> None:
        self.done = 0


_exchanges = Exchanges()


class UnansweredError(Exception):
    """Some ranks did not answer."""


def exchange(message: bytes, timeout: float) -> list[bytes]:
    """Return the messages of all ranks, by rank. Raises UnansweredError with the ranks that did not answer."""
    world, deadline = dist.get_world_size(), time.monotonic() + timeout
    keys = [f"initaudit/{_exchanges.done}/{rank}" for rank in range(world)]
    own = keys[dist.get_rank()]
    try:
        store = dist.distributed_c10d._get_default_store()
        put(store, own, zlib.compress(message))
        missing, answers = list[int](), list[bytes]()
        for rank, key in enumerate(keys):
            try:
                store.wait([key], datetime.timedelta(seconds=max(deadline - time.monotonic(), 0.01)))
            except dist.DistStoreError:
                missing.append(rank)
            else:
                answers.append(zlib.decompress(get(store, key)))
        if missing:
            _forget(store, [own])
        elif store.add(f"initaudit/{_exchanges.done}", 1) == world:
            _forget(store, keys)
    except RuntimeError as error:  # the process that serves the store has ended
        raise UnansweredError(f"ranks were not compared: {str(error).splitlines()[0][:200]}") from error
    if missing:
        which = f"rank{'s' if len(missing) > 1 else ''} {', '.join(map(str, missing))}"
        raise UnansweredError(f"{which} did not answer within {timeout:g} s: call `initaudit.audit` on every rank")
    _exchanges.done += 1
    return answers


def put(store: Any, key: str, message: bytes) -> None:
    """Store a message in pieces; the key of the message, written last, holds the number of pieces."""
    pieces = [message[begin : begin + PIECE] for begin in range(0, len(message), PIECE)]
    for number, piece in enumerate(pieces):
        store.set(f"{key}/{number}", piece)
    store.set(key, str(len(pieces)))


def get(store: Any, key: str) -> bytes:
    """Return a message that `put` stored."""
    return b"".join(store.get(f"{key}/{number}") for number in range(int(store.get(key))))


def _forget(store: Any, keys: Iterable[str]) -> None:
    with contextlib.suppress(RuntimeError):  # a store that cannot
        for key in keys:
            pieces = int(store.get(key))
            for name in (key, *(f"{key}/{number}" for number in range(pieces))):
                store.delete_key(name)
