"""Parameters that look random and do not change with the seed."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from initaudit.finding import Observer
from initaudit.probe.facts.timelines import Timelines
from initaudit.probe.record.poison import Make, differences, seed_everything, tensors_of
from initaudit.probe.record.readable import has_memory
from initaudit.probe.record.recognised import RANDOM
from initaudit.subjects.builds import SeedIgnored
from initaudit.timeline import Coverage, Kind

ENOUGH = 256
"""Elements from which on values by themselves tell whether they are random."""
CORRELATED = 4.0
"""Standard errors by which neighbours of random numbers do not correlate."""
REPEATED = 0.1
"""The part of random numbers that may be seen before."""
COARSE = 128
"""Different numbers from which on values of half precision, which has few, are not a few constants."""
DRAWING = ("randn", "rand", "normal", "uniform", "randint", "random", "bernoulli", "randperm", "exponential")


def ignoring_seed(make: Make, seed: int, timelines: Timelines) -> Iterator[SeedIgnored]:
    """The trainable parameters that look drawn and are the same from another seed, as one fact.

    Raises whatever the constructor raises.
    """
    seed_everything(seed + 1)
    other = tensors_of(make())
    drawn = [
        name
        for name, differs in differences(timelines.tensors, other)
        if not differs.any() and name in other and _is_drawn(name, timelines)
    ]
    if drawn:
        declared = [timelines.declared[name] for name in drawn]
        yield SeedIgnored(
            observer=Observer.PROBE,
            place=timelines.written_at(drawn[0]),
            model=declared[0].model,
            parameter=declared[0].name,
            seeds=(seed, seed + 1),
            affects=tuple(dict.fromkeys(one.name for one in declared)),
            paths=tuple(drawn),
        )


def _is_drawn(name: str, timelines: Timelines) -> bool:
    tensor = timelines.tensors[name]
    whole = timelines.declared[name].kind is Kind.PARAMETER and timelines.coverage(name) is Coverage.WRITTEN
    if not whole or not tensor.requires_grad or not has_memory(tensor) or tensor.numel() < 2:
        return False
    record = timelines.record(name)
    known = record.known() if record is not None else None
    if known is not None:
        return known.family in RANDOM and known.std != 0
    called = record.made_by.rpartition(".")[2].rstrip("_") if record is not None else ""
    return called.removesuffix("_like") in DRAWING or looks_random(tensor)


def looks_random(tensor: torch.Tensor) -> bool:
    """Whether values are like independent draws: hardly any twice, and neighbours along no axis alike."""
    if tensor.numel() < ENOUGH or not tensor.is_floating_point():
        return False
    values = tensor.detach().double()
    different = COARSE if tensor.element_size() <= 2 else (1 - REPEATED) * values.numel()
    if values.unique().numel() < different:
        return False
    centred = (values - values.mean()) / values.std(correction=0)
    for axis in range(values.dim()):
        if values.shape[axis] < 2:
            continue
        before, after = (centred.narrow(axis, start, values.shape[axis] - 1) for start in (0, 1))
        if abs(float((before * after).mean())) * math.sqrt(before.numel()) > CORRELATED:
            return False
    return True
