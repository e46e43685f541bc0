"""Sums of what comes straight from an input, such as tokens, and a table that is the same for all samples."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import torch

from initaudit.probe.record.storages import key_of
from initaudit.probe.signal.making import Making
from initaudit.probe.signal.measure import is_dense, moments, rms_of
from initaudit.probe.signal.operators import COPIES
from initaudit.probe.signal.uses import Use

LOOKUPS = frozenset({"embedding"})
KEEPING = COPIES | {"mul", "div", "cat", "view", "_unsafe_view", "reshape", "dropout", "transpose"}
"""Operators after which it is the same signal, scaled or beside others, if nothing else of the input is added."""


class Sum(msgspec.Struct, frozen=True):
    """A signal and a table that are added.

    ``table`` and ``signal`` are the paths of their parameters (None for a table of constants), ``sizes`` the rms of the
    table and of the signal, ``own`` how much the signal varies over the batch, in parts of its rms, and ``left`` how
    much the sum does.
    """

    table: str | None
    signal: str
    sizes: tuple[float, float]
    own: float
    left: float


class Sums:
    """Follows what lookups, or one weight, make of the inputs, up to the tables that are added to it."""

    def __init__(self, inputs: set[int], batch: int | None) -> None:
        self.batch = batch
        self.found: list[Sum] = []
        self._inputs = inputs
        self._straight: dict[int, str] = {}

    def take_in(
        self,
        name: str,
        operands: Sequence[torch.Tensor],
        results: Sequence[torch.Tensor],
        use: Use | None,
        making: Making,
    ) -> None:
        """Mark what an operator makes of an input or of a signal, and measure a sum with a table."""
        if self.batch is None or len(results) != 1 or not operands:
            return
        keys = [key_of(one) or 0 for one in operands]
        path = None
        if name in LOOKUPS and keys[-1] in self._inputs:
            path = making.sources.get(keys[0])
        elif use is not None and not self._inputs.isdisjoint(keys):
            path = use.path
        elif name in KEEPING:
            path = next((found for key in keys if (found := self._straight.get(key))), None)
            path = None if any(key not in self._straight and key in making.data for key in keys) else path
        elif name == "add" and len(operands) == 2:
            path = self._added(operands, keys, results[0], making)
        elif name in COPIES and keys[0] in self._inputs:
            self._inputs.add(key_of(results[0]) or 0)
        if path is not None:
            self._straight[key_of(results[0]) or 0] = path

    def is_straight(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor is what a lookup or one weight made of an input."""
        return key_of(tensor) in self._straight

    def _added(
        self, operands: Sequence[torch.Tensor], keys: Sequence[int], total: torch.Tensor, making: Making
    ) -> str | None:
        for (one, key), (table, other) in (
            zip(operands, keys, strict=True),
            reversed([*zip(operands, keys, strict=True)]),
        ):
            path = self._straight.get(key)
            if path is None or other in making.data or other in self._straight or not is_dense(total):
                continue
            origin = making.origin(table)
            lists = sum(size > 1 for size in table.shape) > 1  # no bias, but something for each position
            if lists and one.is_floating_point() and (origin is None or not origin.product):
                signal = total - table if key == key_of(total) else one
                size, own = moments(signal, self.batch)
                left = moments(total, self.batch)[1]
                if own is not None and left is not None:
                    source = origin.paths[0] if origin is not None else None
                    self.found.append(Sum(source, path, (rms_of(table), size), own, left))
            return path
        return None
