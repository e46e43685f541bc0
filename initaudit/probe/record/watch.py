"""Record allocations and writes with their lines, by a torch dispatch mode around a build.

Records are kept by storage, since ``weight.data.normal_()`` works on another tensor over the same storage. Weak
references to storages prevent the reuse of their identity.
"""

from __future__ import annotations

import enum
import functools
import weakref
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, NamedTuple

import torch

from initaudit.probe.blame import EXHAUSTED, crossing
from initaudit.probe.record.draws import COPIES, transformed
from initaudit.probe.record.lines import Call, Caused, Initializer, who
from initaudit.probe.record.modes import Mode
from initaudit.probe.record.plain import plain, plain_value
from initaudit.probe.record.readable import shape_of
from initaudit.probe.record.records import Record, Written
from initaudit.probe.record.storages import StorageReference, key_of_storage, storage_of
from initaudit.schemes import Distribution, distribution_of

RAW_OPERATORS = frozenset({
    "empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted", "empty_quantized",
})  # fmt: skip
# In-place operators that replace all elements, whatever their values were.
OVERWRITES = frozenset({
    "normal_", "uniform_", "fill_", "zero_", "copy_", "random_", "bernoulli_", "exponential_", "log_normal_", "cauchy_",
    "geometric_",
})  # fmt: skip
# In-place operators that change sizes, strides or the storage of a tensor, and write no element.
METADATA = frozenset({
    "set_", "t_", "transpose_", "unsqueeze_", "squeeze_", "as_strided_", "swapaxes_", "swapdims_", "detach_", "rename_",
})  # fmt: skip
NAMES = {"lift_fresh": "tensor", "_to_copy": "to", "detach": "tensor", "alias": "tensor"}
"""The call in the program behind an operator: data that enters torch arrives by one of these."""
SELECTS = frozenset({"index", "index_select", "masked_select", "gather", "take"})
"""Operators that copy elements of their first argument."""
DECISIONS = frozenset(
    {"_local_scalar_dense", "equal", "allclose", "is_nonzero", "nonzero", "masked_select", "_unique2"}
)
"""Operators that return a number or a size to Python, which may branch on it."""

OF_CHILDREN = frozenset({"children", "named_children"})
"""Methods of a module that return only its direct children."""

Fill = Callable[[torch.Tensor, int], None]
"""Fills the memory of a tensor, starting at a byte offset."""


class Effect(enum.Enum):
    """The effect of an operator on memory."""

    ALLOCATES = enum.auto()
    RESIZES = enum.auto()
    WRITES = enum.auto()
    MAKES = enum.auto()  # new values in new memory, or a view of old memory
    NOTHING = enum.auto()


@functools.cache
def effect_of(function: Any) -> Effect:
    """Return the effect of an operator, according to its schema."""
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
    """Return the name of an operator, without namespace and overload."""
    name: str = function._schema.name
    return name.rpartition("::")[2]


@functools.cache
def written_arguments(function: Any) -> tuple[tuple[int, str, bool], ...]:
    """Return position and name of each argument that is written, and whether it only takes the result (``out=``)."""
    return tuple(
        (position, argument.name, argument.kwarg_only)
        for position, argument in enumerate(function._schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    )


def asks_for_types(code: CodeType) -> bool:
    """Whether a function calls ``isinstance``."""
    return "isinstance" in code.co_names


class Decision:
    """A Python number computed from uninitialized memory: the line that reads it, and the memory."""

    __slots__ = ("caller", "garbage")

    def __init__(self, caller: Call | None, garbage: Record) -> None:
        self.caller = caller
        self.garbage = garbage


class Application(NamedTuple):
    """A call of ``module.apply``.

    ``there`` are the modules that existed, ``kinds`` the types of torch's layers whose weight was written, and
    ``constructors`` the running constructors of the module, innermost first.
    """

    module: torch.nn.Module
    there: frozenset[torch.nn.Module]
    kinds: frozenset[type]
    constructors: tuple[Call, ...]


class Walk:
    """A loop of user code over the parts of a ``module``, returned by its ``method``.

    ``names`` and ``kinds`` are the names and types of the parts; a method without names gives none. ``ended`` says
    that the loop saw all parts. ``scope`` are the globals of the code. ``below`` are all modules below the module at
    the end, if the code tests types.
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
        """Note that the loop has ended."""
        self.ended = True
        module = self.module()
        if module is not None and self.method in OF_CHILDREN and asks_for_types(self.call.code):
            self.below.update(module.modules())


@crossing
def run(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run an operator for the code that called it."""
    return function(*args, **kwargs)


class Filler(Mode):
    """Fills all uninitialized memory, and records nothing."""

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
        """Fill memory that another library has just allocated without writing it."""
        self.fill(tensor, 0)


class Watch(Mode):
    """Records allocations and writes; ``fill`` is called with every tensor over uninitialized memory."""

    abstract = False
    """Whether large tensors have no memory."""

    def __init__(self, fill: Fill | None = None) -> None:
        super().__init__()
        self.fill = fill
        self.records: dict[int, Record] = {}
        self.decisions: list[Decision] = []
        self.applications: list[Application] = []
        self.walks: list[Walk] = []
        self.failure: Exception | None = None  # the first internal error; the record is incomplete then
        self._foreign: dict[int, Record] = {}  # memory of other libraries, by address
        self._running: Initializer | None = None  # the last call of nn.init that wrote
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
        except Exception as error:  # the constructor continues: an internal error does not concern it
            self.failure = self.failure or error
        return result

    @crossing
    def run(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an operator."""
        return function(*args, **kwargs)

    def _take_in(
        self, effect: Effect, function: Any, args: tuple[Any, ...], given: dict[str, Any], result: Any, size: int
    ) -> None:
        """Record what an operator did. ``size`` is the size of its first argument before a resize, in bytes."""
        if effect is Effect.ALLOCATES:
            self._allocated(f"torch.{plain_name(function)}", result)
        elif effect is Effect.RESIZES:
            self._resized(result, size)
        elif effect is Effect.WRITES:
            self._wrote(function, args, given)
        elif effect is Effect.MAKES:
            self._made(plain_name(function), args, given, result)

    def holds(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor has values."""
        return not tensor.is_meta

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        self._running = None

    def record_of(self, tensor: torch.Tensor) -> Record | None:
        """Return the record of a tensor's memory, if there is one."""
        storage = storage_of(tensor)
        if storage is None:
            return None
        found = self.records.get(key_of_storage(storage))
        return found or (self._foreign.get(storage.data_ptr()) if self._foreign and not tensor.is_meta else None)

    @property
    def holds_garbage(self) -> bool:
        """Whether uninitialized memory exists, or values that were computed from it."""
        records = (*self.records.values(), *self._foreign.values())
        return any(record.garbage is not None and not record.reference.expired() for record in records)

    def foreign(self, tensor: torch.Tensor, call: str, owner: object) -> None:
        """Record memory that another library has just allocated without writing it.

        The record is deleted with the ``owner`` of the memory, since its address may be used again.
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
        """Record a call of ``nn.init`` that no operator showed."""
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
        """Record a ``resize_``: the added memory is uninitialized, or all of it if the tensor was empty."""
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
        """Record new tensors with computed values; a view of recorded memory is not new."""
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
        """Return the distribution of a new tensor: that of a factory, or a transformed one."""
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
        """Whether the running call of ``nn.init`` wrote this before, as ``orthogonal_`` does at its end."""
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
        """Return the distribution after an in-place operator: drawn, copied, or transformed."""
        if name == "copy_":
            source = self._source(args)
            return source.known() if source is not None else None
        before = record.known() if _is_whole(tensor) else None
        after = transformed(name, before, plain(args[1:])) if before is not None and not kwargs else None
        if after is not None:
            return after
        return distribution_of(f"Tensor.{name}", shape_of(tensor), plain(args[1:]), _drawing_keywords(kwargs))

    def _source(self, args: tuple[Any, ...]) -> Record | None:
        """Return the record of the source of a copy."""
        return next((found for one in tensors_in(args[1:]) if (found := self.record_of(one)) is not None), None)

    def _records(self, *values: Any) -> list[Record]:
        return [record for tensor in tensors_in(values) if (record := self.record_of(tensor)) is not None]


def _initialized(called: str, arguments: dict[str, Any], tensor: torch.Tensor, caused: Caused) -> Written:
    """Return the write of a call of ``nn.init``, which writes all of its tensor."""
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
    """Yield every tensor in the arguments or the result of an operator."""
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
