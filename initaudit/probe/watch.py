"""Record allocations and writes with their lines, by a torch dispatch mode around a build.

The storage is the key, not the tensor: ``weight.data.normal_()`` works on another tensor over the same storage.
Storages are watched by weak references, which keep their identity from being used again.
"""

from __future__ import annotations

import enum
import functools
import weakref
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from initaudit.probe.blame import EXHAUSTED, crossing
from initaudit.probe.draws import COPIES, transformed
from initaudit.probe.lines import Call, Caused, Initializer, who
from initaudit.probe.plain import plain, plain_value
from initaudit.probe.readable import shape_of
from initaudit.probe.records import Record, Written
from initaudit.probe.storages import StorageReference, key_of_storage, storage_of
from initaudit.schemes import Distribution, distribution_of

RAW_OPERATORS = frozenset({
    "empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted", "empty_quantized",
})  # fmt: skip
# In-place operators that replace all elements, whatever they held.
OVERWRITES = frozenset({
    "normal_", "uniform_", "fill_", "zero_", "copy_", "random_", "bernoulli_", "exponential_", "log_normal_", "cauchy_",
    "geometric_",
})  # fmt: skip
# In-place operators on sizes and strides, or on what memory a tensor is over: they write no element.
METADATA = frozenset({
    "set_", "t_", "transpose_", "unsqueeze_", "squeeze_", "as_strided_", "swapaxes_", "swapdims_", "detach_", "rename_",
})  # fmt: skip
# Where a number leaves the dispatcher and the program may take one branch or another.
NAMES = {"lift_fresh": "tensor", "_to_copy": "to", "detach": "tensor", "alias": "tensor"}
"""Operators that stand for another call in the program: data that comes into torch arrives as one of these."""
SELECTS = frozenset({"index", "index_select", "masked_select", "gather", "take"})
"""Operators that copy elements of their first argument."""
DECISIONS = frozenset(
    {"_local_scalar_dense", "equal", "allclose", "is_nonzero", "nonzero", "masked_select", "_unique2"}
)

OF_CHILDREN = frozenset({"children", "named_children"})
"""Methods of a module that do not look into what it holds."""

Fill = Callable[[torch.Tensor, int], None]
"""Fills the memory that a tensor is over, from a byte on."""


class Effect(enum.Enum):
    """What an operator does, as far as memory goes."""

    ALLOCATES = enum.auto()
    RESIZES = enum.auto()
    WRITES = enum.auto()
    MAKES = enum.auto()  # new values in new memory, or a view of old memory
    NOTHING = enum.auto()


@functools.cache
def effect_of(function: Any) -> Effect:
    """By the operator's schema."""
    name = plain_name(function)
    if name in RAW_OPERATORS:
        return Effect.ALLOCATES
    if name == "resize_":
        return Effect.RESIZES
    if name in METADATA:
        return Effect.NOTHING
    return Effect.WRITES if written_arguments(function) else Effect.MAKES


@functools.cache
def plain_name(function: Any) -> str:
    """The operator's name, without namespace and overload."""
    name: str = function._schema.name
    return name.rpartition("::")[2]


@functools.cache
def written_arguments(function: Any) -> tuple[tuple[int, str, bool], ...]:
    """Position and name of each argument that is written, and whether it is there for the result alone (``out=``)."""
    return tuple(
        (position, argument.name, argument.kwarg_only)
        for position, argument in enumerate(function._schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    )


def asks_for_types(code: CodeType) -> bool:
    """Whether a function calls ``isinstance``."""
    return "isinstance" in code.co_names


class Decision:
    """A number that left the dispatcher, computed from raw memory: the line that asked for it, and the memory."""

    __slots__ = ("caller", "garbage")

    def __init__(self, caller: Call | None, garbage: Record) -> None:
        self.caller = caller
        self.garbage = garbage


class Application(NamedTuple):
    """A call of ``module.apply``.

    It says which modules were ``there``, the ``kinds`` of layers of torch whose weight it wrote, and the constructors
    of the module that were running, from the inside out.
    """

    module: torch.nn.Module
    there: frozenset[torch.nn.Module]
    kinds: frozenset[type]
    constructors: tuple[Call, ...]


class Walk:
    """A walk of user code over the parts of a ``module``: which ``method`` it called there, and what it came to.

    ``names`` are empty where the method gives none, ``kinds`` are the types of the parts, and ``ended`` says that it
    came to everything. ``scope`` are the global names of its code. ``below`` is all that the module held by
    then, where the code asks for types.
    """

    __slots__ = ("below", "call", "ended", "kinds", "method", "module", "names", "scope")

    def __init__(self, call: Call, method: str, module: torch.nn.Module, scope: dict[str, Any]) -> None:
        self.call = call
        self.method = method
        self.module = weakref.ref(module)
        self.scope = scope
        self.names: list[str] = []
        self.kinds: set[type] = set()
        self.below: weakref.WeakSet[torch.nn.Module] = weakref.WeakSet()
        self.ended = False

    def end(self) -> None:
        """Take note of the end."""
        self.ended = True
        module = self.module()
        if module is not None and self.method in OF_CHILDREN and asks_for_types(self.call.code):
            self.below.update(module.modules())


@crossing
def run(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run an operator for the code that called it."""
    return function(*args, **kwargs)


class Filler(TorchDispatchMode):
    """Fills every tensor over memory that nothing wrote, and records nothing."""

    def __init__(self, fill: Fill) -> None:
        super().__init__()
        self.fill = fill

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        effect = effect_of(function)
        size = _bytes(args[0]) if effect is Effect.RESIZES else 0
        result = run(function, args, kwargs or {})
        fresh = effect is Effect.ALLOCATES or (effect is Effect.RESIZES and _bytes(result) > size)
        if fresh and not result.is_meta:
            self.fill(result, size)
        return result

    def foreign(self, tensor: torch.Tensor, call: str, owner: object) -> None:
        """A tensor over memory that something else than torch has just allocated, and wrote nothing to."""
        self.fill(tensor, 0)


class Watch(TorchDispatchMode):
    """Records allocations and writes; ``fill`` is called with every tensor over memory that nothing wrote."""

    abstract = False
    """Whether large tensors have no memory."""

    def __init__(self, fill: Fill | None = None) -> None:
        super().__init__()
        self.fill = fill
        self.records: dict[int, Record] = {}
        self.decisions: list[Decision] = []
        self.applications: list[Application] = []
        self.walks: list[Walk] = []
        self.failure: Exception | None = None  # the first of our own: what was watched is not the whole then
        self._foreign: dict[int, Record] = {}  # memory that is not torch's, by address
        self._running: Initializer | None = None  # the call of nn.init that wrote last, and the records it wrote
        self._written_by_it: set[int] = set()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        effect = effect_of(function)
        size = _bytes(args[0]) if effect is Effect.RESIZES else 0
        result = self.run(function, args, given)
        try:
            self._take_in(effect, function, args, given, result, size)
        except EXHAUSTED:
            raise
        except Exception as error:  # the constructor goes on: it has nothing to do with a failure of ours
            self.failure = self.failure or error
        return result

    @crossing
    def run(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an operator."""
        return function(*args, **kwargs)

    def _take_in(
        self, effect: Effect, function: Any, args: tuple[Any, ...], given: dict[str, Any], result: Any, size: int
    ) -> None:
        """Note what an operator did. ``size`` is what its first argument had before it was resized, in bytes."""
        if effect is Effect.ALLOCATES:
            self._allocated(f"torch.{plain_name(function)}", result)
        elif effect is Effect.RESIZES:
            self._resized(result, size)
        elif effect is Effect.WRITES:
            self._wrote(function, args, given)
        elif effect is Effect.MAKES:
            self._made(plain_name(function), args, given, result)

    def holds(self, tensor: torch.Tensor) -> bool:
        """Whether there are values to look at."""
        return not tensor.is_meta

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        self._running = None

    def record_of(self, tensor: torch.Tensor) -> Record | None:
        """The life of a tensor's memory, as far as it was watched."""
        storage = storage_of(tensor)
        if storage is None:
            return None
        found = self.records.get(key_of_storage(storage))
        return found or (self._foreign.get(storage.data_ptr()) if self._foreign and not tensor.is_meta else None)

    @property
    def holds_garbage(self) -> bool:
        """Whether there is memory now that nothing wrote, or values that were computed from such memory."""
        records = (*self.records.values(), *self._foreign.values())
        return any(record.garbage is not None and not record.reference.expired() for record in records)

    def foreign(self, tensor: torch.Tensor, call: str, owner: object) -> None:
        """A tensor over memory that something else than torch has just allocated, and wrote nothing to.

        It is forgotten with its ``owner``: others come to lie at its address.
        """
        storage = storage_of(tensor)
        if storage is not None and storage.nbytes() > 0:
            address = storage.data_ptr()
            record = self._foreign[address] = Record(StorageReference(storage), call, who().settled(), raw=True)
            record.lent = True
            weakref.finalize(owner, self._foreign.pop, address, None)
            if self.fill is not None:
                self.fill(tensor, 0)

    def initialized(self, tensor: torch.Tensor, name: str, arguments: dict[str, Any]) -> None:
        """A call of ``nn.init`` that left no trace of its own."""
        record = self.record_of(tensor) or self._new(tensor, "storage", raw=False)
        if record is not None:
            record.wrote(_initialized(name, arguments, tensor, who().settled()), None)

    def _new(self, tensor: torch.Tensor, call: str, *, raw: bool) -> Record | None:
        storage = storage_of(tensor)
        if storage is None:
            return None
        record = Record(StorageReference(storage), call, who().settled(), raw=raw)
        self.records[key_of_storage(storage)] = record
        return record

    def _allocated(self, call: str, result: torch.Tensor) -> None:
        if self._new(result, call, raw=result.numel() > 0) and self.fill is not None and not result.is_meta:
            self.fill(result, 0)

    def _resized(self, result: torch.Tensor, size: int) -> None:
        """What a tensor gains by ``resize_`` is raw, like the whole of it when it was nothing before."""
        if _bytes(result) <= size:
            return
        record = self.record_of(result)
        if record is None or size == 0:
            self._new(result, "Tensor.resize_", raw=True)
        else:
            record.inherited = Record(record.reference, "Tensor.resize_", who().settled(), raw=True)
        if self.fill is not None and not result.is_meta:
            self.fill(result, size)

    def _made(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """New tensors whose values the operator computes; a view of old memory is nothing new."""
        sources = self._records(args, kwargs)
        for source in sources:
            source.unread = None
        if name in DECISIONS:
            self._decided(sources)
        for tensor in tensors_in(result):
            if self.record_of(tensor) is not None:
                continue
            if name in COPIES and sources:
                self._copied(tensor, sources[0])
                continue
            record = self._new(tensor, f"torch.{NAMES.get(name, name)}", raw=False)
            if record is not None:
                record.inherited = _first_garbage(sources)
                record.origin = sources[0] if name in SELECTS and sources else None
                record.distribution = self._computed(name, args, kwargs, tensor)

    def _copied(self, tensor: torch.Tensor, source: Record) -> None:
        storage = storage_of(tensor)
        if storage is not None:
            copy = self.records[key_of_storage(storage)] = source.copied(StorageReference(storage), who().settled())
            copy.origin = source

    def _decided(self, sources: list[Record]) -> None:
        garbage = _first_garbage(sources)
        if garbage is not None:
            self.decisions.append(Decision(who().writer, garbage))

    def _computed(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: torch.Tensor
    ) -> Distribution | None:
        """What an operator leaves in new memory: what a factory draws, or what becomes of a draw."""
        operands = [tensor for tensor in tensors_in(args) if tensor.dim() > 0]
        if len(operands) == 1 and args and args[0] is operands[0] and operands[0].shape == result.shape:
            record = self.record_of(operands[0])
            before = record.known() if record is not None else None
            after = transformed(name, before, plain(args[1:])) if before is not None and not kwargs else None
            if after is not None:
                return after
        call, drawing = (f"Tensor.{name}", args[1:]) if name.startswith("new_") else (f"torch.{name}", args)
        return distribution_of(call, shape_of(result), plain(drawing), _drawing_keywords(kwargs))

    def _wrote(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        caused = who()
        name = plain_name(function)
        for position, keyword, for_result in written_arguments(function):
            target = args[position] if position < len(args) else kwargs.get(keyword)
            for tensor in tensors_in(target):
                record = self.record_of(tensor) or self._new(tensor, "storage", raw=False)
                if record is not None and not self._noted(record, caused):
                    others = [one for one in tensors_in((args, kwargs)) if one is not tensor]
                    self._write(record, tensor, name, args, kwargs, caused, others, for_result=for_result)
        caused.settled()

    def _noted(self, record: Record, caused: Caused) -> bool:
        """Whether the running call of ``nn.init`` wrote this before: ``orthogonal_`` ends in ``copy_`` and ``mul_``."""
        running = caused.initializer
        if running is None or self._running is None or running.frame is not self._running.frame:
            self._running, self._written_by_it = running, set()
        known = id(record) in self._written_by_it
        if running is not None:
            self._written_by_it.add(id(record))
        return known

    def _write(
        self,
        record: Record,
        tensor: torch.Tensor,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        caused: Caused,
        others: list[torch.Tensor],
        *,
        for_result: bool,
    ) -> None:
        read = self._records(others)
        for one in read:
            one.unread = None
        garbage = _first_garbage(read)
        meant = caused.initializer.arguments().get("tensor") if caused.initializer is not None else None
        if caused.initializer is not None and isinstance(meant, torch.Tensor) and self.record_of(meant) is record:
            write = _initialized(caused.initializer.name, caused.initializer.arguments(), meant, caused)
        else:
            write = Written(
                f"torch.{name}" if for_result else f"Tensor.{name}",
                caused,
                shape_of(tensor),
                whole=_is_whole(tensor),
                overwrites=for_result or name in OVERWRITES,
                distribution=self._left(record, tensor, name, args, kwargs),
                copied=source.made_by if name == "copy_" and (source := self._source(args)) is not None else None,
            )
        record.wrote(write, garbage)

    def _left(
        self, record: Record, tensor: torch.Tensor, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Distribution | None:
        """What an in-place operator leaves: its own draw, a copy of another, or what becomes of the old one."""
        if name == "copy_":
            source = self._source(args)
            return source.known() if source is not None else None
        before = record.known() if _is_whole(tensor) else None
        after = transformed(name, before, plain(args[1:])) if before is not None and not kwargs else None
        if after is not None:
            return after
        return distribution_of(f"Tensor.{name}", shape_of(tensor), plain(args[1:]), _drawing_keywords(kwargs))

    def _source(self, args: tuple[Any, ...]) -> Record | None:
        """The memory that a copy is from."""
        return next((found for one in tensors_in(args[1:]) if (found := self.record_of(one)) is not None), None)

    def _records(self, *values: Any) -> list[Record]:
        return [record for tensor in tensors_in(values) if (record := self.record_of(tensor)) is not None]


def _initialized(called: str, arguments: dict[str, Any], tensor: torch.Tensor, caused: Caused) -> Written:
    """A call of ``nn.init``, which writes all of the tensor it is given."""
    given = {name: plain_value(value) for name, value in arguments.items() if name not in ("tensor", "generator")}
    shape = shape_of(tensor)
    return Written(
        f"init.{called}",
        caused,
        shape,
        whole=_is_whole(tensor),
        overwrites=True,
        distribution=distribution_of(f"init.{called}", shape, (), given),
    )


def _first_garbage(records: list[Record]) -> Record | None:
    return next((garbage for record in records if (garbage := record.garbage) is not None), None)


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor in the arguments or the result of an operator."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)


def _drawing_keywords(kwargs: dict[str, Any]) -> dict[str, object]:
    unimportant = ("dtype", "layout", "device", "pin_memory", "memory_format", "generator", "requires_grad")
    return {name: plain_value(value) for name, value in kwargs.items() if name not in unimportant}


def _bytes(tensor: torch.Tensor) -> int:
    storage = storage_of(tensor)
    return storage.nbytes() if storage is not None else 0


def _is_whole(tensor: torch.Tensor) -> bool:
    return tensor.numel() * tensor.element_size() >= _bytes(tensor)
