"""Fill new memory with chosen values, to see what depends on it. Filling uses no random numbers.

Ramps rather than constants, since sorting a constant tells nothing; integers and bools stay 0 and 1, since they may
be indices.
"""

from __future__ import annotations

import enum
import functools
import math

import torch

from initaudit.probe.record.storages import storage_of
from initaudit.probe.record.watch import Fill

LARGEST = 0.9
"""Of the largest number of a type, which no fill exceeds."""
LOWEST = 0.3
"""Where a ramp to 1 begins."""
LONG = 16_384
"""Elements of a ramp."""
RAMPED = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
COUNTED = (torch.bool, torch.int16, torch.int32, torch.int64)
PARTS = {torch.complex32: torch.float16, torch.complex64: torch.float32, torch.complex128: torch.float64}


class Content(enum.Enum):
    """One way to fill: the top of the ramp for floats, the number for integers, the byte for all other types."""

    NOT_A_NUMBER = (float("nan"), 0, 0xFF)  # N
    DOWN = (-0.731, 0, 0)  # A
    UP = (1.2e4, 1, 1)  # B
    SLIGHTLY_DOWN = (-1e-3, 0, 0)  # A and B, where larger numbers make a constructor raise
    SLIGHTLY_UP = (1e-3, 1, 1)
    ZERO = (0.0, 0, 0)


def filling(content: Content) -> Fill:
    """A function that fills the storage of a tensor with this, from a byte on."""

    def fill(tensor: torch.Tensor, begin: int) -> None:
        fill_storage(tensor, begin, content)

    return fill


def fill_storage(tensor: torch.Tensor, begin: int, content: Content) -> None:
    """Fill all of the storage that a tensor is over: strides may leave gaps that a later view looks into.

    A wrapper around other tensors tells of a storage without memory; of a ``DTensor``, this process holds a part.
    """
    tensor = getattr(tensor, "_local_tensor", tensor)
    storage = storage_of(tensor)
    if storage is None or storage.nbytes() <= begin or storage.device.type == "meta" or storage.data_ptr() == 0:
        return
    top, count, byte = content.value
    dtype = PARTS.get(tensor.dtype, tensor.dtype)
    if dtype in RAMPED:
        memory = _flat(storage, dtype)[begin // dtype.itemsize :]
        if math.isnan(top):
            memory.fill_(top)
        else:
            _fill_with_ramps(memory, min(top, torch.finfo(dtype).max * LARGEST))
    elif dtype in COUNTED:
        _flat(storage, dtype)[begin // dtype.itemsize :].fill_(count)
    else:
        _flat(storage, torch.uint8)[begin:].fill_(byte)


def _fill_with_ramps(memory: torch.Tensor, top: float) -> None:
    """One ramp, or as many of ``LONG`` elements as there is room for: copying one is quicker than computing all."""
    size = memory.numel()
    if size <= LONG:
        torch.linspace(LOWEST * top, top, size, dtype=memory.dtype, device=memory.device, out=memory)
        return
    whole, ramp = size // LONG, _ramp(top, memory.dtype, memory.device)
    memory[: whole * LONG].view(whole, LONG).copy_(ramp)
    memory[whole * LONG :].copy_(ramp[: size - whole * LONG])


@functools.lru_cache(maxsize=16)
def _ramp(top: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    return torch.linspace(LOWEST * top, top, LONG, dtype=dtype, device=device)


def _flat(storage: torch.UntypedStorage, dtype: torch.dtype) -> torch.Tensor:
    return torch.empty(0, dtype=dtype, device=storage.device).set_(storage)
