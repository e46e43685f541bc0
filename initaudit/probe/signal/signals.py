"""Signals of a forward: tensors, and the weights that they passed."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence

import msgspec
import torch

from initaudit.probe.signal.measure import dead_part
from initaudit.probe.signal.uses import Step, Steps, Use

Part = tuple[Use, int]
"""A weight, and the first of the units of a signal that are its own."""


class Ending(enum.Enum):
    """How a chain ends."""

    NORMALIZATION = enum.auto()
    JOIN = enum.auto()
    """Another signal is added to it or concatenated with it."""
    OTHER = enum.auto()


class Signal:
    """A tensor of the forward: the weights that it passed since the last normalization, addition or multiplication.

    ``last`` is the weight that it comes from, normalized or not; ``chief``, of several that were added, the weight with
    the largest output. ``parts`` are those that were concatenated, with the first unit of each. ``used`` says that
    another signal was computed from it, or that its chain ended; a signal that is unused at the end of the forward is
    an output.
    """

    __slots__ = ("chief", "last", "parts", "steps", "used")

    def __init__(
        self,
        steps: Steps = (),
        last: Use | None = None,
        chief: Use | None = None,
        parts: tuple[Part, ...] = (),
    ) -> None:
        self.steps = steps
        self.last = steps[-1].use if steps else last
        self.chief = self.last or chief
        self.parts = parts or (((self.chief, 0),) if self.chief is not None else ())
        self.used = False

    @property
    def activation(self) -> str | None:
        return self.steps[-1].activation if self.steps else None

    def activated(self, key: str | None) -> Signal:
        """Return the signal after an activation; only the first one after a weight counts."""
        self.used = True
        return Signal((*self.steps[:-1], msgspec.structs.replace(self.steps[-1], activation=key)))

    def through(self, step: Step) -> Signal:
        """Return the signal after another weight."""
        self.used = True
        return Signal((*self.steps, step))


def concatenated(
    tensors: Sequence[torch.Tensor], axis: int, signal_of: Callable[[torch.Tensor], Signal | None]
) -> Iterator[Part]:
    """Yield the weights whose units are concatenated, in order."""
    start = 0
    for tensor in tensors:
        signal = signal_of(tensor)
        for use, first in signal.parts if signal is not None else ():
            if axis % tensor.dim() == use.axis % tensor.dim():
                yield use, start + first
        start += tensor.shape[axis]


def rectified(signal: Signal, after: torch.Tensor, key: str) -> None:
    """Count the dead units of the weights behind a rectifier, the first that each meets."""
    for use, start in signal.parts:
        if use.activation is not None or use.dead is not None or after.dim() < 2:
            continue
        alone = len(signal.parts) == 1 and start == 0
        if not alone and after.shape[use.axis] < start + use.units:
            continue
        own = after if alone else after.narrow(use.axis, start, use.units)
        use.dead = dead_part(own, use.units, convolution=use.convolution)
        use.samples = after.shape[0]
        if not alone:
            use.activation = key
