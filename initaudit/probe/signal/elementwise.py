"""Parameters that multiply or shift the output of a weight elementwise: gains, and biases that are added separately."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from initaudit.probe.record.storages import key_of
from initaudit.probe.signal.making import MULTIPLYING, Making
from initaudit.probe.signal.measure import is_dense, moments, rms_of
from initaudit.probe.signal.operators import COPIES, NORMALIZATIONS
from initaudit.probe.signal.signals import Signal
from initaudit.probe.signal.sums import Sums
from initaudit.probe.signal.uses import Use

ADDING = frozenset({"add", "sub"})


class Elementwise:
    """Measures what a parameter does to a signal that it meets element by element.

    The gain of a normalization is not measured: normalized values have a scale of their own.
    """

    def __init__(
        self, making: Making, sums: Sums, signal_of: Callable[[torch.Tensor], Signal | None], batch: int | None
    ) -> None:
        self._making = making
        self._sums = sums
        self._signal_of = signal_of
        self._batch = batch
        self._normalized: set[int | None] = set()

    def take_in(
        self, name: str, operands: Sequence[torch.Tensor], results: Sequence[torch.Tensor], *, by_scale: bool
    ) -> bool:
        """Measure a product or sum, and return whether it is tracked. ``by_scale`` says that it normalizes.

        A product with a matrix is not: what it does to each element is more than a scale.
        """
        if name in NORMALIZATIONS or by_scale:
            self._normalized.update(map(key_of, results))
            self._making.normalized(operands)
            return True
        if name in COPIES and key_of(operands[0]) in self._normalized:
            self._normalized.update(map(key_of, results))
        if len(operands) != 2 or len(results) != 1 or name not in MULTIPLYING | ADDING:
            return False
        for one, other in (operands, reversed(operands)):
            origin = self._making.origin(other)
            if origin is None or origin.product:
                continue
            signal = self._signal_of(one)
            if signal is None:
                return key_of(one) in self._normalized
            path = self._making.sources.get(key_of(other) or 0)
            if path is not None and signal.steps and is_dense(results[0]):
                self._measure(name, path, signal, (one, other, results[0]))
            return is_vector(other)
        return False

    def _measure(
        self, name: str, path: str, signal: Signal, tensors: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    ) -> None:
        one, other, result = tensors
        use = signal.steps[-1].use
        if name in MULTIPLYING:
            size = rms_of(other)
            before = rms_of(one) if key_of(one) != key_of(result) else 0.0
            if before > 0:
                size = rms_of(result) / before
            elif name == "div" and size > 0:
                size = 1 / size
            use.gain = (path, size) if use.gain is None else use.gain
            return
        table = self._sums.is_straight(one) and not is_vector(other)  # of positions, which is no bias
        if signal.activation is None and use.bias is None and not use.normalized and not table:
            self._shift(use, path, other, result)

    def _shift(self, use: Use, path: str, bias: torch.Tensor, result: torch.Tensor) -> None:
        """Measure the output of a weight with its bias, as where one operator adds both."""
        split = self._batch is not None and result.shape[0] % self._batch
        if result.dim() < 2 or result.shape[use.axis] != use.units or split:
            return
        rms, discrimination = moments(result, self._batch)
        use.bias, use.rms, use.discrimination = path, rms, discrimination
        if self._batch is None:
            use.apart = moments(result, result.shape[0])[1]
        if rms > 0:
            use.bias_share = min(1.0, (rms_of(bias) / rms) ** 2)


def is_vector(tensor: torch.Tensor) -> bool:
    """Whether at most one dimension of a tensor has several elements."""
    return sum(size > 1 for size in tensor.shape) < 2
