"""The fans of a weight: the number of inputs that an output sums over, and of outputs that an input feeds."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence

import msgspec

Shape = Sequence[int | None] | None
"""A shape as far as it is known: None for an unknown dimension, or for everything."""


class Convention(enum.Enum):
    """Convention of fans: those that ``torch.nn.init`` computes from the shape, or the true ones."""

    TORCH = "torch"
    TRUE = "true"


class Geometry(msgspec.Struct, frozen=True, kw_only=True):
    """The use of a weight, which does not follow from its shape.

    ``input_first`` is the layout (in, out, ...) of ``x @ w``; a ``transposed`` convolution has it by nature. ``fused``
    counts projections stacked along the output (3 for query, key and value), ``stacked`` the leading dimensions that
    only enumerate weights (1 for a tensor of experts).
    """

    groups: int = 1
    stride: tuple[int, ...] = ()
    transposed: bool = False
    input_first: bool = False
    fused: int = 1
    stacked: int = 0


class Fans(msgspec.Struct, frozen=True):
    """How many inputs an output sums over, and how many outputs an input feeds."""

    fan_in: float
    fan_out: float


def fans(shape: Shape, convention: Convention = Convention.TORCH, geometry: Geometry | None = None) -> Fans:
    """The fans of a weight; ValueError unless it has two dimensions or more and all are known.

    torch's: (out, in, ...) whatever the layer does, times the receptive field. True: per group, per stacked or fused
    slice, in the layout that is used, and with the receptive field shared out by the stride. (An output of a
    transposed convolution meets ``prod(stride)`` times fewer inputs than its kernel has entries, and an input of a
    strided convolution that many times fewer outputs.)
    """
    sizes = known(shape)
    if convention is Convention.TORCH:
        return Fans(*_torch_fans(sizes))
    use = geometry or Geometry()
    across, along = _torch_fans(sizes[use.stacked :])
    stride = math.prod(use.stride)
    if use.transposed:
        return Fans(along / use.groups / stride, across / use.fused)
    if use.input_first:
        return Fans(along, across / use.fused)
    return Fans(across, along / use.groups / use.fused / stride)


def _torch_fans(sizes: Sequence[int]) -> tuple[int, int]:
    """Return what torch's ``_calculate_fan_in_and_fan_out`` computes."""
    if len(sizes) < 2:
        raise ValueError("a weight with fans has at least two dimensions")
    receptive_field = math.prod(sizes[2:])
    return sizes[1] * receptive_field, sizes[0] * receptive_field


def longer_side(shape: Shape) -> int:
    """The longer side of the matrix (out, everything else); ValueError as for the fans."""
    sizes = known(shape)
    if len(sizes) < 2:
        raise ValueError("a matrix has at least two dimensions")
    return max(sizes[0], math.prod(sizes[1:]))


def known(shape: Shape) -> tuple[int, ...]:
    """Return the shape if every dimension is known; else raise ValueError."""
    if shape is None:
        raise ValueError("the shape is not known")
    sizes = tuple(size for size in shape if size is not None)
    if len(sizes) != len(shape):
        raise ValueError("not every dimension is known")
    return sizes
