"""Which tensors have readable values in memory, and the size of tensors that may have no shape."""

from __future__ import annotations

import torch
from torch._subclasses.fake_tensor import FakeTensor

from initaudit.probe.record.storages import storage_of

UNKNOWN_SIZE = -1
"""Stands for a dimension whose elements differ in size."""


def is_imagined(tensor: torch.Tensor) -> bool:
    """Return whether a tensor never has values: it is on the meta device, or fake."""
    return tensor.is_meta or isinstance(tensor, FakeTensor)


def is_distributed(tensor: torch.Tensor) -> bool:
    """Return whether a tensor is a ``DTensor``, of which this process may hold a part."""
    return hasattr(tensor, "_local_tensor") and hasattr(tensor, "placements")


def local_of(tensor: torch.Tensor) -> torch.Tensor:
    """Return the elements that this process holds, over the same memory."""
    return tensor._local_tensor.detach() if is_distributed(tensor) else tensor


def has_memory(tensor: torch.Tensor) -> bool:
    """Return whether there is memory for every element: not so on the meta device, sparse, nested or distributed.

    Storage that was freed or made smaller holds less than the tensor says; to read that ends the process.
    """
    if torch.nn.parameter.is_lazy(tensor) or is_imagined(tensor):
        return False
    if tensor.layout is not torch.strided or tensor.is_nested:
        return False
    storage = storage_of(tensor)
    if storage is None or storage.device.type == "meta":
        return False
    if tensor.numel() == 0:
        return True
    try:
        last = tensor.storage_offset() + sum(
            (size - 1) * step for size, step in zip(tensor.shape, tensor.stride(), strict=True)
        )
        return storage.data_ptr() != 0 and storage.nbytes() >= (last + 1) * tensor.element_size()
    except (RuntimeError, NotImplementedError):  # a wrapper around other tensors
        return False


def bare(tensor: torch.Tensor) -> torch.Tensor:
    """Return the same memory as a plain tensor: a subclass may change what reading it does, or refuse it."""
    with torch._C.DisableTorchFunctionSubclass():
        plain = tensor.detach()
        return plain if type(plain) is torch.Tensor else plain.as_subclass(torch.Tensor)


def shape_of(tensor: torch.Tensor) -> tuple[int, ...]:
    """Return the shape, with :data:`UNKNOWN_SIZE` for dimensions of nested tensors that have no one size."""
    try:
        sizes = tuple(tensor.shape)
    except RuntimeError:  # nested tensors have none
        return (tensor.size(0), *(UNKNOWN_SIZE,) * (tensor.dim() - 1))
    return tuple(size if isinstance(size, int) else _hinted(size) for size in sizes)


def _hinted(size: torch.SymInt) -> int:
    hint = getattr(size.node, "hint", None)
    return hint if isinstance(hint, int) and not size.node.is_nested_int() else UNKNOWN_SIZE
