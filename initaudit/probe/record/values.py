"""Statistics of the values of a tensor."""

from __future__ import annotations

import math

import torch

from initaudit.probe.record.readable import bare, has_memory
from initaudit.timeline import Values

BINS = 24
SAMPLE = 65_536
"""Elements, evenly spaced, that a histogram is made of: it shows a shape, and counting all costs more than the rest."""

BLOCK = 32_768
"""Elements that are converted to float64 at a time: they fit in a processor's cache."""


def summarize(tensor: torch.Tensor) -> Values | None:
    """Statistics over the finite elements, in float64; None for memory that is not there."""
    if not has_memory(tensor) or tensor.is_quantized:
        return None
    shape, dtype = tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")
    flat = bare(tensor).cpu().reshape(-1)
    if flat.is_complex():
        flat = flat.abs()
    try:
        numbers = flat if flat.dtype is torch.float32 and flat.numel() > BLOCK else flat.to(torch.float64)
    except (RuntimeError, TypeError):  # packed types have no numbers of their own
        return Values(dtype=dtype, shape=shape, mean=None, std=None, min=None, max=None)
    nan = inf = 0
    finite, ends = numbers, _ends(numbers)
    if not all(map(math.isfinite, ends)):
        nan, inf = int(numbers.isnan().sum()), int(numbers.isinf().sum())
        finite = numbers[numbers.isfinite()]
        ends = _ends(finite)
    if not ends:
        return Values(dtype=dtype, shape=shape, mean=None, std=None, min=None, max=None, nan=nan, inf=inf)
    least, most = ends
    mean, std = _moments(finite)
    return Values(
        dtype=dtype,
        shape=shape,
        mean=mean,
        std=std,
        min=least,
        max=most,
        nan=nan,
        inf=inf,
        counts=_histogram(finite, least, most),
    )


def _ends(numbers: torch.Tensor) -> tuple[float, ...]:
    """The least and the largest number, where there are any."""
    return tuple(end.item() for end in numbers.aminmax()) if numbers.numel() else ()


def _moments(numbers: torch.Tensor) -> tuple[float, float]:
    """The mean and the standard deviation, of many numbers block by block: a copy of all in float64 costs more."""
    if numbers.dtype is torch.float64:
        return numbers.mean().item(), numbers.std(correction=0).item()
    mean = math.fsum(block.double().sum().item() for block in numbers.split(BLOCK)) / numbers.numel()
    centred = (block.double().sub_(mean) for block in numbers.split(BLOCK))
    return mean, math.sqrt(math.fsum(torch.dot(block, block).item() for block in centred) / numbers.numel())


def _histogram(numbers: torch.Tensor, least: float, most: float) -> tuple[int, ...]:
    """How many of a sample lie in each of the equal bins between the extremes; nothing where there is no between."""
    if not 0 < most - least < math.inf:
        return ()
    step = -(-numbers.numel() // SAMPLE) | 1  # odd, since sizes are even: no column is met alone
    sample = numbers[::step].double().contiguous()
    return tuple(int(count) for count in torch.histc(sample, BINS, least, most).tolist())
