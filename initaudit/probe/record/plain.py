"""Convert arguments of initializers to plain numbers and strings of Python."""

from __future__ import annotations

import enum
import numbers
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import torch

SYMBOLIC = (torch.SymInt, torch.SymFloat, torch.SymBool)


def plain(args: Iterable[Any]) -> list[Any]:
    """Return each argument as :func:`plain_value` does."""
    return [plain_value(value) for value in args]


def plain_value(value: Any) -> Any:
    """Return the number or string that a value stands for, None for one that is not known, else the value itself.

    Numbers come as numpy scalars, tensors and arrays of one element, enums, fractions and symbolic integers too.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, enum.Enum):
        return plain_value(value.value)
    if isinstance(value, torch.Tensor):
        return _of_tensor(value)
    if isinstance(value, SYMBOLIC):
        hint = getattr(value.node, "hint", None)  # to ask for more would be a guard in the user's program
        return plain_value(hint) if not isinstance(hint, SYMBOLIC) else None
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    if callable(getattr(value, "item", None)) and getattr(value, "size", None) == 1:  # numpy's
        return plain_value(value.item())
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real | Decimal):
        return float(value)
    return None if isinstance(value, numbers.Complex) else value


def _of_tensor(tensor: torch.Tensor) -> Any:
    """The number in a tensor of one element; None where there is none, as on the meta device."""
    if tensor.is_meta or tensor.numel() != 1:
        return None if tensor.is_meta or tensor.dim() == 0 else tensor
    try:
        return plain_value(tensor.item())
    except Exception:  # a fake tensor has no value, and a fake mode takes no tensor that is real
        return None
