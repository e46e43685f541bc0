"""Measurements of activations: scale, discrimination and dead units."""

from __future__ import annotations

import math

import torch

from initaudit.probe.record.readable import has_memory

SQUARED = 1e-30
"""A variance below which single precision is not enough for it."""


def moments(output: torch.Tensor, batch: int | None) -> tuple[float, float | None]:
    """The rms of all elements, and the discrimination: sqrt(E[Var over the batch]) / rms.

    The batch is the leading dimension, or flattened with others into it. The discrimination is None where there is no
    batch, or nothing but zeros. No elements, as of an expert that no token is sent to, have an rms of 0.
    """
    if not is_dense(output) or not (output.is_floating_point() or output.is_complex()):
        return math.nan, None
    if output.numel() == 0:
        return 0.0, None
    values = (output.abs() if output.is_complex() else output).detach()
    values = values.float() if values.element_size() < 4 else values
    if batch is None or batch < 2 or values.dim() == 0 or values.shape[0] % batch:
        return float(torch.linalg.vector_norm(values)) / math.sqrt(values.numel()), None
    variance, mean = torch.var_mean(values.unflatten(0, (batch, -1)), dim=0, correction=0)
    spread = float(variance.mean(dtype=torch.float64))
    if spread < SQUARED:  # it may have lost digits, or all of them
        spread = float(values.double().unflatten(0, (batch, -1)).var(dim=0, correction=0).mean())
    rms = math.sqrt(spread + float(mean.double().square().mean())) if math.isfinite(spread) else math.nan
    return rms, (math.sqrt(spread) / rms if rms > 0 else None)


def is_dense(tensor: torch.Tensor) -> bool:
    """Whether there are numbers in memory, one for each element."""
    return has_memory(tensor) and not tensor.is_quantized


def rms_of(tensor: torch.Tensor) -> float:
    """The rms of all elements."""
    return moments(tensor, None)[0]


def dead_part(rectified: torch.Tensor, units: int, *, convolution: bool) -> float | None:
    """The part of the units that no sample and no position activates; None where the units cannot be distinguished."""
    axis = 1 if convolution else -1
    if not is_dense(rectified) or rectified.dim() < 2 or rectified.shape[axis] != units:
        return None
    others = [position for position in range(rectified.dim()) if position != axis % rectified.dim()]
    largest = rectified.detach().amax(dim=others)
    return float((largest <= 0).double().mean())
