"""Neutral values for unwritten elements, so that a forward does not depend on the content of the memory.

Each value is the neutral one of its use: ones where a tensor is multiplied element by element, zeros where it is
added, N(0, 1/n) where n elements are contracted, N(0, 0.02) for tables and where the use is not known. They come from
generators of this module, so that no draw of the model's moves.
"""

from __future__ import annotations

import contextlib
import math
import zlib
from collections.abc import Iterator, Mapping

import msgspec
import torch

from initaudit.probe.facts.timelines import Timelines
from initaudit.probe.record.fills import Content, filling
from initaudit.probe.record.foreign import numpy_watched
from initaudit.probe.record.poison import Make, how_many, tensors_of
from initaudit.probe.record.storages import key_of
from initaudit.probe.record.watch import Filler
from initaudit.probe.signal.measure import is_dense
from initaudit.timeline import Role, Usage

SMALL = 0.02
"""The standard deviation of tables, and of what is used in a way that is not known."""
SLOPE = 0.25
"""torch's own start for the slope of a PReLU."""
ONE_AT_ZERO = ("exp", "exp2", "shifted", "sigmoid", "softmax")
"""Functions that make a neutral factor of zero, or a harmless one."""


class Raw(msgspec.Struct, frozen=True):
    """One tensor of a model, and which of its elements nothing wrote: flat, None for all of them."""

    path: str
    mask: torch.Tensor | None


class Neutral:
    """The unwritten elements of a model: which they are, how a forward uses them, and what they are given for it.

    ``raw`` are the tensors that hold such elements. ``suspect`` adds those that may, or whose values depend on them;
    nothing that depends on these is judged.
    """

    def __init__(self, timelines: Timelines) -> None:
        self.raw: dict[str, Raw] = {}
        self.suspect: dict[str, torch.Tensor] = {}
        self.usages: dict[str, Usage] = {}
        seen: set[tuple[int | None, int]] = set()
        for path, tensor in timelines.tensors.items():
            mask = timelines.garbage(path)
            if mask is None or not is_dense(tensor):
                continue
            self.suspect[path] = tensor
            key = (key_of(tensor), tensor.storage_offset())
            count = how_many(mask)
            if count and key not in seen and (tensor.is_floating_point() or tensor.is_complex()):
                seen.add(key)
                self.raw[path] = Raw(path, None if count == tensor.numel() else mask)

    def settle(self, usages: Mapping[str, Usage], model: torch.nn.Module) -> None:
        """Take in how the forward uses the tensors, and give them the values that follow from it."""
        tensors = tensors_of(model)
        for path in self.raw:
            usage = usages.get(path, Usage())
            self.usages[path] = msgspec.structs.replace(usage, filled=in_words(usage, tensors[path]))
        self.fill(model)

    def fill(self, model: torch.nn.Module) -> None:
        """Give the unwritten elements of a model their values: provisional ones until their use is known."""
        tensors = tensors_of(model)
        with torch.no_grad():
            for path, raw in self.raw.items():
                tensor = tensors.get(path)
                if tensor is None or not is_dense(tensor):
                    continue
                usage = self.usages.get(path) or provisional(tensor)
                values = neutral(usage, tensor, torch.Generator().manual_seed(zlib.crc32(path.encode())))
                if raw.mask is not None and raw.mask.numel() == tensor.numel():
                    values = torch.where(raw.mask.reshape(tensor.shape).to(tensor.device), values, tensor.detach())
                with contextlib.suppress(RuntimeError):  # an expanded tensor has one memory for several elements
                    tensor.detach().copy_(values)

    def filled(self, make: Make) -> Make:
        """The function that builds the model, with what nothing wrote given the same values each time."""

        def make_filled() -> torch.nn.Module:
            model = zeroed(make)()
            self.fill(model)
            return model

        return make_filled


def zeroed(make: Make) -> Make:
    """The function that builds a model, with zeros in memory that nothing wrote."""

    def make_zeroed() -> torch.nn.Module:
        with zeroed_memory():
            return make()

    return make_zeroed


@contextlib.contextmanager
def zeroed_memory() -> Iterator[None]:
    """While this lasts, fresh memory holds zeros."""
    filler = Filler(filling(Content.ZERO))
    with numpy_watched(filler), filler:
        yield


def provisional(tensor: torch.Tensor) -> Usage:
    """A use that lets most forwards through, to find out the real one: ones for vectors, small numbers for matrices."""
    if sum(size > 1 for size in tensor.shape) < 2:
        return Usage(role=Role.FACTOR)
    return Usage(role=Role.WEIGHT, inputs=tensor.shape[-1])


def neutral(usage: Usage, tensor: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The values that disturb a forward the least, in the shape and type of a tensor."""
    std, constant = _law(usage, tensor)
    if std is None:
        return torch.full(tensor.shape, constant, dtype=tensor.dtype, device=tensor.device)
    kind = torch.complex64 if tensor.is_complex() else torch.float32
    return (std * torch.randn(tensor.shape, generator=generator, dtype=kind, device="cpu")).to(tensor)


def in_words(usage: Usage, tensor: torch.Tensor) -> str:
    """What a tensor is given, in words."""
    std, constant = _law(usage, tensor)
    if std is not None:
        return f"N(0, {std:.3g})"
    return {1.0: "ones", 0.0: "zeros"}.get(constant, f"{constant:g}")


def _law(usage: Usage, tensor: torch.Tensor) -> tuple[float | None, float]:
    """The standard deviation of normal values, None for a constant, which comes second."""
    match usage.role:
        case Role.FACTOR:
            return None, 0.0 if usage.through in ONE_AT_ZERO else 1.0
        case Role.OFFSET:
            return None, 0.0
        case Role.SLOPE:
            return None, SLOPE
        case Role.WEIGHT if usage.inputs:
            parts = 2 if usage.through == "view_as_complex" and not tensor.is_complex() else 1
            return 1 / math.sqrt(usage.inputs * parts), 0.0
        case _:
            return SMALL, 0.0
