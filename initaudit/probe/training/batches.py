"""Draw further batches like a given one, column by column, so that each column keeps its range and kind."""

from __future__ import annotations

from typing import Any

import torch

from initaudit.probe.record.readable import has_memory
from initaudit.probe.signal.propagate import Given, common_batch
from initaudit.probe.training.precision import double as double_of

SAMPLES = 4
"""Of a batch that is trained on: symmetry shows in any, and normalization over the batch needs more than one."""
LONG = 8
"""Numbers from which on a column that is in order is taken for an index that has to be."""


def another_batch(given: Given, generator: torch.Generator, *, double: bool = True) -> Given:
    """Return inputs of a few samples, each column of which is drawn from that column of the given inputs.

    Floats lie between those of two samples, in double precision if asked; integers, and floats of only two values such
    as a mask's, are those of other samples. Index vectors in order stay as they are. Where inputs share no batch, as
    those of a graph, a tensor's samples lie along its longest axis, and all are kept.
    """
    batch = common_batch(given)

    def another(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            drawn = _another(value, batch, generator)
            return drawn if double else drawn.to(value.dtype)
        if isinstance(value, dict):
            return {key: another(item) for key, item in value.items()}
        return type(value)(map(another, value)) if type(value) in (list, tuple) else value

    args, kwargs = given
    return tuple(map(another, args)), {key: another(value) for key, value in kwargs.items()}


def _another(tensor: torch.Tensor, batch: int | None, generator: torch.Generator) -> torch.Tensor:
    if not has_memory(tensor) or tensor.numel() == 0 or tensor.is_quantized:
        return tensor
    values = double_of(tensor.detach())
    if tensor.dim() == 0:
        return values
    axis, count = 0, min(tensor.shape[0], SAMPLES)
    if batch is None or batch < 2:
        axis = max(range(tensor.dim()), key=lambda one: tensor.shape[one])
        count = tensor.shape[axis]
    across = values.movedim(axis, 0)
    columns = across.reshape(across.shape[0], -1)
    if values.is_floating_point() or values.is_complex():
        drawn = _between(columns, count, generator)
    else:
        drawn = _of_others(columns, count, generator)
    return drawn.reshape(count, *across.shape[1:]).movedim(0, axis)


def _between(columns: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """Draw numbers between those of two samples, or one of the two where there are only two values."""
    rows, width = columns.shape
    one, other = (
        columns.gather(0, torch.randint(rows, (count, width), generator=generator).to(columns.device)) for _ in range(2)
    )
    if not columns.is_complex():
        least, most = columns.aminmax()
        if bool(((columns == least) | (columns == most)).all()) or not bool(columns.isfinite().all()):
            return one
    part = torch.rand((count, width), generator=generator, dtype=torch.float64).to(columns.device)
    return one + part * (other - one)


def _of_others(columns: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """Put the integers of each column in another order; a column that is in order keeps it."""
    rows, width = columns.shape
    order = torch.rand((rows, width), generator=generator).argsort(dim=0).to(columns.device)
    drawn = columns.gather(0, order)[:count]
    if rows > 2 and (width == 1 or rows >= LONG):
        before, after = columns[:-1], columns[1:]
        ordered = (before <= after).all(dim=0) | (before >= after).all(dim=0)
        drawn = torch.where(ordered, columns[:count], drawn)
    return drawn
