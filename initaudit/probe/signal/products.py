"""How a weight meets its input in an operator of ATen: how many inputs an output sums over, whatever the layout."""

from __future__ import annotations

from typing import Any

import msgspec
import torch

from initaudit.schemes import Convention, Geometry, fans

MATRIX = frozenset({"mm", "bmm", "addmm", "baddbmm", "matmul", "mv", "addmv", "addbmm"})
LINEAR = frozenset({"linear", "mkldnn_linear", "_addmm_activation"})
CONVOLUTIONS = frozenset({"convolution", "_convolution", "convolution_overrideable", "mkldnn_convolution"})
PRODUCTS = MATRIX | LINEAR | CONVOLUTIONS


class Meeting(msgspec.Struct, frozen=True):
    """The true fans of a weight in one use."""

    fan_in: int
    fan_out: int


def meeting(name: str, args: tuple[Any, ...], weight: torch.Tensor) -> Meeting:
    """The fans of ``weight``, which is one of the arguments of the operator."""
    if name in CONVOLUTIONS:
        return _convolved(args, weight)
    if name == "mul":  # one coefficient for each
        return Meeting(1, 1)
    across, along = (weight.shape[-1], weight.shape[-2]) if weight.dim() > 1 else (weight.numel(), 1)
    tensors = [value for value in args if isinstance(value, torch.Tensor)]
    second = name in MATRIX and tensors[-1] is weight  # x @ w, where w is (in, out)
    return Meeting(along, across) if second else Meeting(across, along)


def _convolved(args: tuple[Any, ...], weight: torch.Tensor) -> Meeting:
    stride, transposed, groups = args[3], bool(args[6]), int(args[8])
    geometry = Geometry(groups=groups, stride=tuple(stride), transposed=transposed)
    found = fans(tuple(weight.shape), Convention.TRUE, geometry)
    return Meeting(max(1, round(found.fan_in)), max(1, round(found.fan_out)))
