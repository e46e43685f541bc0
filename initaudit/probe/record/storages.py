"""The identity of a tensor's memory, which does not keep the memory alive."""

from __future__ import annotations

import itertools
import weakref
from typing import Any

import torch

_numbers = itertools.count(1)
_known: dict[int, tuple[int, weakref.ref[Any]]] = {}
"""By the address of a storage that is alive: its number, and what forgets the address as soon as it is gone."""


def storage_of(tensor: torch.Tensor) -> Any:
    """Return the storage of a tensor; None for those that have none of their own, such as sparse and lazy ones."""
    try:
        return tensor.untyped_storage()
    except Exception:  # a subclass of the user's may raise anything
        return None


def key_of(tensor: torch.Tensor) -> int | None:
    """Return the number that identifies a tensor's memory: no other memory gets it, also not at the same address."""
    storage = storage_of(tensor)
    return None if storage is None else key_of_storage(storage)


def key_of_storage(storage: Any) -> int:
    """Return the number that identifies a storage.

    torch's own weak reference to a storage keeps its memory. A weak reference to the object of Python does not, and
    that object lives as long as the storage.
    """
    address = storage._cdata
    found = _known.get(address)
    if found is None:
        found = _known[address] = next(_numbers), weakref.ref(storage, lambda _: _known.pop(address, None))
    return found[0]


class StorageReference:
    """A reference to a storage that does not keep its memory."""

    __slots__ = ("_reference",)

    def __init__(self, storage: Any) -> None:
        self._reference = weakref.ref(storage)

    def expired(self) -> bool:
        """Return whether the storage is gone."""
        return self._reference() is None
