"""The differential oracle: what changes with what unwritten memory holds was never written.

A model is built from one seed with every fresh allocation filled, under NaN (N), one ramp (A) twice, and another (B). Filling draws no
random numbers, so that a clean model is the same each time, bit for bit.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch

from initaudit.probe.watch import Watch

Tensors = dict[str, torch.Tensor]
FRACTION = 0.9  # of the largest number of a type, that no fill goes beyond


class Built:
    """A model built under watch, and its parameters and buffers by path."""

    def __init__(self, model: torch.nn.Module, watch: Watch) -> None:
        self.model = model
        self.watch = watch

    @property
    def tensors(self) -> Tensors:
        return tensors_of(self.model)


def tensors_of(model: torch.nn.Module) -> Tensors:
    """Every parameter and buffer by path; a tied tensor under each of its paths."""
    named = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    return {name: tensor for name, tensor in named if not torch.nn.parameter.is_lazy(tensor)}


def nothing(tensor: torch.Tensor) -> None:
    """No fill: memory as the allocator gives it."""


def not_a_number(tensor: torch.Tensor) -> None:
    """Fill N."""
    if tensor.is_floating_point() or tensor.is_complex():
        _fill(tensor, lambda count, limit: torch.full((count,), float("nan")), 0xFF)
    else:
        _fill(tensor, None, 0)


def ramp_down(tensor: torch.Tensor) -> None:
    """Fill A."""
    _fill(tensor, lambda count, limit: -0.731 * torch.linspace(0.3, 1.0, count, dtype=torch.float64), 0)


def ramp_up(tensor: torch.Tensor) -> None:
    """Fill B."""
    _fill(tensor, lambda count, limit: min(1.2e4, limit) * torch.linspace(0.3, 1.0, count, dtype=torch.float64), 1)


def small_ramp_down(tensor: torch.Tensor) -> None:
    """Fill A, where larger values make a constructor raise."""
    _fill(tensor, lambda count, limit: -1e-3 * torch.linspace(0.3, 1.0, count, dtype=torch.float64), 0)


def small_ramp_up(tensor: torch.Tensor) -> None:
    """Fill B, where larger values make a constructor raise."""
    _fill(tensor, lambda count, limit: 1e-3 * torch.linspace(0.3, 1.0, count, dtype=torch.float64), 0)


def _fill(tensor: torch.Tensor, ramp: Callable[[int, float], torch.Tensor] | None, integer: int) -> None:
    """Fill floats with a ramp, integers and bools with a number, other types byte by byte."""
    count = tensor.numel()
    if count == 0:
        return
    dtype = tensor.dtype
    if ramp is not None and dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        limit = torch.finfo(dtype).max * FRACTION
        tensor.copy_(ramp(count, limit).reshape(tensor.shape).to(dtype))
    elif dtype.is_complex and ramp is not None:
        tensor.copy_(ramp(count, 1e4).reshape(tensor.shape).to(dtype))
    elif dtype in (torch.int16, torch.int32, torch.int64, torch.bool, torch.uint8, torch.int8):
        tensor.fill_(min(integer, 1))
    else:
        raw = torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())
        raw.fill_(integer & 0xFF)


def build(make: Callable[[], torch.nn.Module], seed: int, fill: Callable[[torch.Tensor], None]) -> Built:
    """Build from a seed with every fresh allocation filled."""
    seed_everything(seed)
    watch = Watch(None if fill is nothing else fill)
    with watch:
        model = make()
    return Built(model, watch)


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and torch's generators."""
    random.seed(seed)
    torch.manual_seed(seed)
    try:
        import numpy
    except ImportError:
        return
    numpy.random.seed(seed)


class Verdict:
    """For each tensor by path: which elements depend on unwritten memory, and how many differ between equal builds."""

    def __init__(self) -> None:
        self.depends: dict[str, torch.Tensor] = {}
        self.unstable: dict[str, int] = {}
        self.failure: BaseException | None = None  # raised by a constructor that was given other garbage


def judge(make: Callable[[], torch.nn.Module], seed: int) -> Verdict:
    """Build under the fills and compare."""
    verdict = Verdict()
    try:
        one, again, other = (build(make, seed, fill) for fill in (ramp_down, ramp_down, ramp_up))
    except Exception as error:  # the control build did not raise: what follows depends on unwritten memory
        verdict.failure = error
        try:
            one, again, other = (build(make, seed, fill) for fill in (small_ramp_down, small_ramp_down, small_ramp_up))
        except Exception:  # nothing holds it: what the watch saw is all there is
            return verdict
    first = one.tensors
    _note_unstable(verdict, first, again.tensors)
    _note_dependence(verdict, first, other.tensors)
    try:
        _note_dependence(verdict, first, build(make, seed, not_a_number).tensors)
    except Exception as error:
        verdict.failure = verdict.failure or error
    return verdict


def _note_unstable(verdict: Verdict, one: Tensors, two: Tensors) -> None:
    for name, tensor in one.items():
        differs = differing(tensor, two.get(name))
        if differs.any():
            verdict.unstable[name] = int(differs.sum())


def _note_dependence(verdict: Verdict, one: Tensors, two: Tensors) -> None:
    for name, tensor in one.items():
        differs = differing(tensor, two.get(name))
        known = verdict.depends.get(name)
        verdict.depends[name] = differs if known is None else known | differs


def differing(one: torch.Tensor, two: Any) -> torch.Tensor:
    """Which elements differ in their bits; all of them when the shapes do. Flat, bool."""
    if not isinstance(two, torch.Tensor) or one.shape != two.shape or one.dtype != two.dtype:
        return torch.ones(one.numel(), dtype=torch.bool)
    if one.is_meta or one.layout is not torch.strided or one.numel() == 0:
        return torch.zeros(one.numel(), dtype=torch.bool)
    size = one.element_size()
    bits = [t.detach().cpu().contiguous().reshape(-1).view(torch.uint8).reshape(-1, size) for t in (one, two)]
    return (bits[0] != bits[1]).any(dim=1)
