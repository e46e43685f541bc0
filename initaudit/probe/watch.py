"""What was allocated and what wrote it, from which line: a torch dispatch mode around a build.

The storage is the key, not the tensor: ``weight.data.normal_()`` works on another tensor over the same storage. Storages are watched by weak
references, which keep their identity from being used again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from initaudit.probe.lines import Caused, who
from initaudit.schemes import Distribution, distribution_of

RAW_OPERATORS = {
    "aten::empty", "aten::empty_like", "aten::new_empty", "aten::empty_strided", "aten::new_empty_strided",
    "aten::empty_permuted", "aten::resize_", "aten::empty_quantized",
}  # fmt: skip
# In-place operators that replace all elements, whatever they held.
OVERWRITES = {
    "aten::normal_", "aten::uniform_", "aten::fill_", "aten::zero_", "aten::copy_", "aten::random_", "aten::bernoulli_",
    "aten::exponential_", "aten::log_normal_", "aten::cauchy_", "aten::geometric_", "aten::eye", "aten::set_",
}  # fmt: skip
COPIES = {"aten::clone", "aten::_to_copy", "aten::copy_", "aten::contiguous"}


class Written:
    """One write: by what, whether of all elements, and what it drew from."""

    __slots__ = ("by", "caused", "distribution", "overwrites", "whole")

    def __init__(
        self, by: str, caused: Caused, *, whole: bool, overwrites: bool, distribution: Distribution | None
    ) -> None:
        self.by = by
        self.caused = caused
        self.whole = whole
        self.overwrites = overwrites
        self.distribution = distribution


class Record:
    """The life of one storage. ``source`` is the record of the memory it was copied from."""

    __slots__ = ("call", "caused", "distribution", "raw", "reference", "source", "writes")

    def __init__(self, reference: StorageWeakRef, call: str, raw: bool, caused: Caused) -> None:
        self.reference = reference
        self.call = call
        self.raw = raw
        self.caused = caused
        self.distribution: Distribution | None = None
        self.writes: list[Written] = []
        self.source: Record | None = None

    @property
    def origin(self) -> Record:
        """The record of the memory that these values were first made in."""
        return self.source.origin if self.source is not None and not self.writes else self

    @property
    def overwritten(self) -> bool:
        """Whether some write replaced all elements."""
        return any(write.whole and write.overwrites for write in self.writes)

    def last_full_write(self) -> Written | None:
        """The write that the values come from, when later ones only rescale it."""
        return self.writes[-1] if self.writes and self.writes[-1].whole else None


class Watch(TorchDispatchMode):
    """Records allocations and writes; ``fill`` is called with every tensor over memory that nothing wrote."""

    def __init__(self, fill: Callable[[torch.Tensor], None] | None = None) -> None:
        super().__init__()
        self.fill = fill
        self.records: dict[int, Record] = {}

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        name = function._schema.name
        if name in RAW_OPERATORS:
            self.allocated(name, result)
        elif any(argument.alias_info is not None and argument.alias_info.is_write for argument in function._schema.arguments):
            self.wrote(function, name, args, kwargs or {})
        else:
            self.made(name, args, kwargs or {}, result)
        return result

    def record_of(self, tensor: torch.Tensor) -> Record | None:
        """The life of a tensor's memory, as far as it was watched."""
        try:
            return self.records.get(tensor.untyped_storage()._cdata)
        except (NotImplementedError, RuntimeError):  # tensors without storage: sparse, fake
            return None

    def _new(self, tensor: torch.Tensor, call: str, raw: bool) -> Record | None:
        try:
            storage = tensor.untyped_storage()
        except (NotImplementedError, RuntimeError):
            return None
        record = Record(StorageWeakRef(storage), call, raw, who())
        self.records[storage._cdata] = record
        return record

    def allocated(self, name: str, result: torch.Tensor) -> None:
        if result.is_meta or result.layout is not torch.strided:
            return
        if name == "aten::resize_" and self.record_of(result) is not None:
            return
        self._new(result, f"torch.{name.removeprefix('aten::')}", raw=result.numel() > 0)
        if self.fill is not None:
            self.fill(result)

    def made(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """A new tensor whose values the operator computes; a view of old memory is nothing new."""
        for tensor in _tensors(result):
            if self.record_of(tensor) is not None:
                continue
            plain = name.removeprefix("aten::")
            record = self._new(tensor, f"torch.{plain}", raw=False)
            if record is None:
                continue
            sources = [found for source in _tensors((args, kwargs)) if (found := self.record_of(source)) is not None]
            if name in COPIES and sources:
                record.source = sources[0]
            else:
                shape = tuple(tensor.shape)
                record.distribution = distribution_of(f"torch.{plain}", shape, _plain(args), _factory_keywords(kwargs))

    def wrote(self, function: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for position, argument in enumerate(function._schema.arguments):
            if argument.alias_info is None or not argument.alias_info.is_write:
                continue
            target = args[position] if position < len(args) else kwargs.get(argument.name)
            for tensor in _tensors(target):
                record = self.record_of(tensor) or self._new(tensor, "storage", raw=False)
                if record is not None:
                    self._write(record, tensor, name, args, kwargs)

    def _write(
        self, record: Record, tensor: torch.Tensor, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        caused = who()
        previous = record.writes[-1] if record.writes else None
        whole = tensor.numel() * tensor.element_size() >= tensor.untyped_storage().nbytes()
        plain = name.removeprefix("aten::")
        if caused.initializer is not None:
            if previous is not None and previous.caused.serial == caused.serial and previous.by == f"init.{caused.initializer}":
                previous.overwrites = previous.overwrites or name in OVERWRITES
                previous.whole = previous.whole or whole
                return
            by = f"init.{caused.initializer}"
            distribution, whole = _initialized(caused, whole)
        else:
            by = f"Tensor.{plain}"
            distribution = _drawn(record, plain, tensor, args, kwargs)
        overwrites = name in OVERWRITES
        if plain == "copy_" and caused.initializer is None:
            copied = next((found for a in _tensors(args[1:]) if (found := self.record_of(a)) is not None), None)
            distribution = _known(copied) if copied is not None else None
            if whole and copied is not None and copied.raw and not copied.overwritten:
                overwrites = False  # garbage from elsewhere
        caused.arguments = {}
        record.writes.append(Written(by, caused, whole=whole, overwrites=overwrites, distribution=distribution))


def _known(record: Record) -> Distribution | None:
    """What the values of some memory were drawn from."""
    last = record.last_full_write()
    if last is not None:
        return last.distribution
    if record.source is not None and not record.writes:
        return _known(record.source)
    return None if record.writes else record.distribution


def _initialized(caused: Caused, whole: bool) -> tuple[Distribution | None, bool]:
    """What a call of ``nn.init`` draws from; it writes all of the tensor it is given."""
    given = dict(caused.arguments)
    tensor = given.pop("tensor", None)
    if not isinstance(tensor, torch.Tensor):
        return None, whole
    names = _signature(caused.initializer or "")
    keywords = {name: value for name, value in given.items() if name in names}
    shape = tuple(tensor.shape)
    whole = tensor.numel() * tensor.element_size() >= tensor.untyped_storage().nbytes()
    return distribution_of(f"init.{caused.initializer}", shape, (), keywords), whole


def _signature(name: str) -> tuple[str, ...]:
    code = getattr(torch.nn.init, name).__code__
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return tuple(name for name in names if name not in ("tensor", "generator"))


def _drawn(
    record: Record, name: str, tensor: torch.Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Distribution | None:
    """What an in-place operator leaves: its own draw, or the old one rescaled."""
    before = _known(record)
    if name in ("mul_", "div_") and before is not None and len(args) > 1 and isinstance(args[1], int | float):
        factor = args[1] if name == "mul_" else 1 / args[1] if args[1] else math.inf
        return _scaled(before, float(factor))
    return distribution_of(f"Tensor.{name}", tuple(tensor.shape), _plain(args[1:]), _factory_keywords(kwargs))


def _scaled(distribution: Distribution, factor: float) -> Distribution | None:
    if not math.isfinite(factor) or distribution.family not in ("normal", "uniform", "constant", "truncated_normal"):
        return None
    bounds = sorted(b * factor for b in (distribution.low, distribution.high) if b is not None)
    return Distribution(
        family=distribution.family,
        mean=None if distribution.mean is None else distribution.mean * factor,
        std=None if distribution.std is None else distribution.std * abs(factor),
        low=bounds[0] if bounds else None,
        high=bounds[-1] if bounds else None,
    )


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)


def _plain(args: tuple[Any, ...]) -> list[object]:
    return [value.item() if isinstance(value, torch.Tensor) and value.dim() == 0 else value for value in args]


def _factory_keywords(kwargs: dict[str, Any]) -> dict[str, object]:
    unimportant = ("dtype", "layout", "device", "pin_memory", "memory_format", "generator", "requires_grad")
    return {name: value for name, value in kwargs.items() if name not in unimportant}
