"""What tensors do: allocate, view, write, swap."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.source.snippets import dotted
from initaudit.analyzer.symbolic.computed_names import EACH, REACHED
from initaudit.analyzer.symbolic.conditions import TRUE
from initaudit.analyzer.symbolic.run import Run
from initaudit.analyzer.symbolic.values import (
    INEXACT,
    NONE,
    UNKNOWN,
    UNSET,
    Api,
    Builtin,
    Choice,
    Constant,
    Index,
    Mapping,
    Memory,
    Origin,
    Part,
    Sequence,
    Size,
    Storage,
    Symbol,
    Tensor,
    Value,
    WriteEvent,
    choose,
    leaves,
    text,
)
from initaudit.schemes import Distribution, distribution_of

BY_INDEX = "index assignment"
"""What writes elements that an index selects, which may be all of them in a loop."""
DRAWING = {"torch.randn", "torch.rand", "torch.ones"}
"""Functions whose values are known, whatever they are given."""


def fresh(run: Run, call: str, origin: Origin | None, shape: tuple[Value, ...] | None = None) -> Tensor:
    """A tensor whose memory the call itself writes."""
    return Tensor(Memory(Storage(origin, call, raw=False, condition=run.condition, shape=shape)))


def allocate(
    run: Run, call: str, args: list[Value], keywords: dict[str, Value], origin: Origin, *, legacy: bool
) -> Value:
    """Memory that nothing has written; data and sizes of no element give a tensor that is not raw."""
    shape, pending = size_arguments(run, args, keywords, legacy=legacy)
    if shape is None and pending is None:
        return fresh(run, call, origin)
    if shape is not None and Constant(0) in shape:
        return fresh(run, call, origin, shape)
    storage = Storage(
        origin,
        call,
        raw=True,
        condition=run.condition,
        legacy=legacy,
        shape=shape,
        dtype=_dtype(run, keywords.get("dtype", UNKNOWN)) or torch_api.LEGACY_CONSTRUCTORS.get(call),
        pending=pending,
        from_torch=legacy and _from_torch(run, origin.node),
        proven=legacy and run.device_contexts == 0 and shape is not None and all(map(_is_integer(run), shape)),
    )
    run.storages.append(storage)
    return Tensor(Memory(storage))


def _from_torch(run: Run, node: ast.AST) -> bool:
    """Whether a call is of an attribute of torch itself, and not of a module or an object that has the same."""
    match node:
        case ast.Call(func=ast.Attribute(value=owner)) if dotted(owner):
            return run.evaluate(owner) == Api("torch")
    return False


def _dtype(run: Run, value: Value) -> str | None:
    """The data type that an argument names; of several, one that only a loader fills."""
    named = [run.defaults.get(leaf.text) if isinstance(leaf, Symbol) else leaf for _, leaf in leaves(value, TRUE)]
    names = [leaf.name for leaf in named if isinstance(leaf, Api)]
    return next((name for name in names if name in torch_api.LOADED_DTYPES), names[0] if names else None)


def _is_integer(run: Run) -> Callable[[Value], bool]:
    return lambda value: (
        (isinstance(value, Constant) and type(value.value) is int)
        or isinstance(value, Size)
        or (isinstance(value, Symbol) and run.is_integer(value.text))
    )


def size_arguments(
    run: Run, args: list[Value], keywords: dict[str, Value], *, legacy: bool
) -> tuple[tuple[Value, ...] | None, str | None]:
    """The shape that arguments give, or the symbol that would have to be an integer for them to be a size.

    What a legacy constructor is given without a name may be data.
    """
    if not args and (size := keywords.get("size")) is not None:
        args, legacy = [size], False
    if not args:
        return None, None
    if len(args) > 1 or isinstance(args[0], Size):
        for arg in args:
            run.integer(arg)
        return tuple(args), None
    only = args[0]
    match only:
        case Constant(int()):
            return (only,), None
        case Sequence(items=items) if not legacy:
            for item in items:
                run.integer(item)
            return tuple(items), None
        case Symbol(name) if legacy:
            return ((only,), None) if run.is_integer(name) else (None, name)
        case Choice() if legacy:
            return None, None
        case Constant() | Sequence() | Tensor() | Mapping() if legacy:
            return None, None
        case _ if legacy:
            return None, None
        case _:
            run.integer(only)
            return (only if isinstance(only, Symbol | Size) else Size("?"),), None


def shape_like(value: Value) -> tuple[Value, ...] | None:
    """The shape of the tensor that another imitates."""
    if isinstance(value, Tensor):
        for _, leaf in leaves(value.storage, TRUE):
            if isinstance(leaf, Memory):
                return leaf.storage.shape
    return None


def write(
    run: Run,
    tensor: Tensor,
    by: str,
    origin: Origin,
    distribution: Distribution | None = None,
    gain: float | None = None,
) -> Tensor:
    """Record that the tensor's memory is written, unless a program has trained it before.

    The same statement on the same path tells nothing new.
    """
    if run.is_trained():
        return tensor
    part = None if tensor.elements else tensor.part
    for condition, leaf in leaves(tensor.storage, run.condition):
        if isinstance(leaf, Memory):
            cause = run.frame.called_from if run.frames else None
            event = WriteEvent(origin, cause, by, condition, part, distribution, gain)
            if not any(map(event.repeats, leaf.storage.writes)):
                leaf.storage.writes.append(event)
                for possible in leaf.storage.possible:
                    possible.escape(REACHED)
            leaf.storage.changed &= part is not None
    return tensor


def change(run: Run, tensor: Tensor, node: ast.AST) -> Tensor:
    """Record that a node computes new values of a tensor from old ones: memory that was never written still is not.

    A step along the gradient is training.
    """
    if any(isinstance(each, ast.Attribute) and each.attr == "grad" for each in ast.walk(node)):
        return tensor
    for _, leaf in leaves(tensor.storage, run.condition):
        if isinstance(leaf, Memory):
            for storage in (leaf.storage, *leaf.storage.possible):
                storage.changed = True
    return tensor


def replace_data(run: Run, tensor: Tensor, value: Value, origin: Origin) -> None:
    """``tensor.data = value``: another memory under the same tensor."""
    if from_itself(run, tensor, value) or run.is_trained():
        return
    if tensor.part is not None or _is_one_of_several(tensor):
        write(run, tensor, "data assignment", origin)
        return
    for condition, leaf in leaves(value, run.condition):
        new = leaf.storage if isinstance(leaf, Tensor) else Memory(Storage(origin, "assigned value", raw=False))
        tensor.storage = choose(condition, new, tensor.storage)


def _is_one_of_several(tensor: Tensor) -> bool:
    """Whether it is not known whose memory a tensor has."""
    return any(isinstance(leaf, Memory) and leaf.storage.possible for _, leaf in leaves(tensor.storage, TRUE))


def part_of(tensor: Tensor, index: Index) -> Tensor:
    """A view of what an index selects."""
    if index.whole:
        return Tensor(tensor.storage, part=tensor.part, elements=tensor.elements)
    if index.by_loop and tensor.part is None and (part := _part_by_loop(tensor, index)) is not None:
        return Tensor(tensor.storage, part=part)
    if index.by_loop:
        return Tensor(tensor.storage, part=tensor.part, elements=tensor.part is None)
    exact = index.exact and tensor.part is None
    cell = index.cell if tensor.part is None else None
    part = Part(index.start, index.stop, exact, index.dimension, index.step, index.within, cell=cell)
    return Tensor(tensor.storage, part=part)


def _part_by_loop(tensor: Tensor, index: Index) -> Part | None:
    """The part that a loop writes in all its rounds, where that is known to be less than the whole."""
    if index.diagonal is not None:
        return Part(index.start, None, True, diagonal=index.diagonal)
    bounds, shape = range_of(index.start), shape_like(tensor)
    if bounds is None or not index.exact or shape is None or len(shape) <= index.dimension:
        return None
    return _short_of(*bounds, text(shape[index.dimension]), index.dimension)


def _short_of(start: str | None, stop: str, length: str, dimension: int) -> Part | None:
    """The part from a bound to another one, if it lacks the first or the last of so many."""
    last = stop in (f"({length} - 1)", f"{length} - 1")
    if start not in (None, "1") or not (last or start):
        return None
    return Part(start, stop if last else None, True, dimension)


def range_of(each: str | None) -> tuple[str | None, str] | None:
    """The bounds of the range whose numbers a text stands for: ``each of range(1, n)``."""
    if each is None or not each.startswith(f"{EACH}range(") or not each.endswith(")"):
        return None
    try:
        call = ast.parse(each.removeprefix(EACH), mode="eval").body
    except SyntaxError:
        return None
    match call:
        case ast.Call(args=[stop], keywords=[]):
            return None, ast.unparse(stop)
        case ast.Call(args=[ast.Constant(value=int(start)), stop], keywords=[]):
            return str(start) if start else None, ast.unparse(stop)
    return None


def item_of(item: Tensor, index: Index, length: str) -> Tensor:
    """The item of a list that stands for so many, as a part of it where a loop does not come to all."""
    bounds = range_of(index.start)
    part = _short_of(*bounds, length, 0) if bounds is not None and item.part is None else None
    return Tensor(item.storage, parameter=item.parameter, part=part) if part is not None else item


def unknown_part(tensor: Tensor) -> Tensor:
    """A view of some of the memory."""
    return Tensor(tensor.storage, part=INEXACT)


def computed(run: Run, *operands: Value) -> Value:
    """The result of arithmetic, which is garbage when computed from memory nobody wrote.

    Where that is the only tensor, and nothing is registered with it yet, the result stands for it: what writes either
    initializes what will be registered.
    """
    given = [each for each in operands if isinstance(each, Tensor)]
    if len(given) == 1 and given[0].part is None and isinstance(given[0].storage, Memory):
        storage = given[0].storage.storage
        if storage.raw and not storage.writes and not storage.owned and storage.escaped is None:
            return Tensor(given[0].storage)
    garbage = dict.fromkeys(storage for operand in operands for each in _garbage(run, operand) for storage in each)
    return Tensor(Memory(Storage(None, "arithmetic", raw=False, condition=run.condition, garbage=tuple(garbage))))


def scaled(run: Run, tensor: Tensor, factor: str) -> Tensor | None:
    """Values that a function of torch has just drawn, times a factor; None for any other tensor."""
    if not isinstance(tensor.storage, Memory) or tensor.parameter or tensor.part is not None:
        return None
    drawn = tensor.storage.storage
    if drawn.raw or drawn.writes or drawn.call not in DRAWING or drawn.escaped:
        return None
    whole = factor if drawn.factor is None else f"({drawn.factor}) * ({factor})"
    storage = Storage(None, drawn.call, raw=False, condition=run.condition, shape=drawn.shape, factor=whole)
    return Tensor(Memory(storage))


def _garbage(run: Run, value: Value) -> Iterator[tuple[Storage, ...]]:
    """The memory that nobody wrote so far and that a value is, or was computed from, on each of its paths."""
    for _, leaf in leaves(value.storage, run.condition) if isinstance(value, Tensor) else ():
        if isinstance(leaf, Memory):
            storage = leaf.storage
            yield () if storage.writes else (storage,) if storage.raw else storage.garbage


def from_itself(run: Run, tensor: Tensor, value: Value) -> bool:
    """Whether a value that is to be written was computed from the same memory before anybody wrote that."""
    own = {storage for path in _garbage(run, tensor) for storage in path}
    given = [leaf for _, leaf in leaves(value, run.condition) if leaf is not UNSET and leaf != NONE]
    return bool(given) and all(
        isinstance(leaf, Tensor) and all(not own.isdisjoint(path) for path in _garbage(run, leaf)) for leaf in given
    )


def own(value: Value) -> None:
    """Say that a parameter or a buffer has the memory of a tensor."""
    for _, leaf in leaves(value, TRUE):
        for _, memory in leaves(leaf.storage, TRUE) if isinstance(leaf, Tensor) else ():
            if isinstance(memory, Memory):
                memory.storage.owned = True


def place(value: Value, origin: Origin) -> None:
    """Say where a computed tensor came from: the line that registers it."""
    for _, leaf in leaves(value, TRUE):
        for _, memory in leaves(leaf.storage, TRUE) if isinstance(leaf, Tensor) else ():
            if isinstance(memory, Memory) and memory.storage.origin is None:
                memory.storage.origin = origin


def attribute(run: Run, tensor: Tensor, name: str) -> Value:
    """``tensor.name``."""
    if name in tensor.attributes:
        return tensor.attributes[name]
    if name in torch_api.VIEW_ATTRIBUTES:
        return Tensor(tensor.storage, part=tensor.part, elements=tensor.elements)
    if name == "shape":
        shape = shape_like(tensor)
        return Sequence(list(shape), is_list=False) if shape else Size(f"{text(tensor)}.shape")
    if name == "ndim":
        return _dimensions(tensor)
    if name in ("requires_grad", "grad", "dtype", "device", "is_meta", "itemsize", "layout", "grad_fn"):
        return Symbol(f"{text(tensor)}.{name}")
    return Builtin(name, lambda args, keywords, origin: method(run, tensor, name, args, keywords, origin))


def _dimensions(tensor: Tensor) -> Value:
    shape = shape_like(tensor)
    known = shape is not None and not any(isinstance(entry, Size) for entry in shape)
    return Constant(len(shape)) if shape is not None and known else Symbol(f"{text(tensor)}.dim()")


def method(run: Run, tensor: Tensor, name: str, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    """Call a method of a tensor."""
    if name == "copy_" and args and from_itself(run, tensor, args[0]):
        return tensor
    if name in torch_api.OVERWRITES:
        by = f"Tensor.{name}"
        copied = args[0] if args and name == "copy_" else None
        given = drawn(by, tensor, args, keywords) if copied is None else number_in(copied)
        return write(run, tensor, by, origin, given)
    if name in torch_api.PARTIAL_WRITES:
        write(run, unknown_part(tensor), f"Tensor.{name}", origin)
        return tensor
    if name in torch_api.COMPUTES_IN_PLACE:
        return change(run, tensor, origin.node)
    if name in ("dim", "ndimension"):
        return _dimensions(tensor)
    if name in ("size", "numel", "nelement", "element_size", "stride", "storage_offset"):
        return _size(tensor, name, args)
    if name == "new" or name in torch_api.RAW_METHODS:
        return allocate(run, f"Tensor.{name}", args, keywords, origin, legacy=name == "new")
    if name in ("chunk", "split", "unbind", "tensor_split") and tensor.part is None:
        return Tensor(tensor.storage, part=INEXACT)
    if name in torch_api.PARTIAL_VIEWS:
        return unknown_part(tensor)
    if name == "clone" and _is_written(tensor):
        return computed(run, tensor)
    if name in torch_api.WHOLE_VIEWS:
        return Tensor(tensor.storage, part=tensor.part, elements=tensor.elements)
    if name in torch_api.OF_METADATA:
        return tensor
    if (name.endswith("_") and not name.startswith("__")) or "load" in name:  # which no method of torch's has
        run.escape(tensor, f"Tensor.{name}")
        return tensor
    return computed(run, tensor)


def _is_written(tensor: Tensor) -> bool:
    """Whether all memory that a tensor may have got its values where it was allocated."""
    memories = [leaf.storage for _, leaf in leaves(tensor.storage, TRUE) if isinstance(leaf, Memory)]
    return not any(each.raw for memory in memories for each in (memory, *memory.possible))


def _size(tensor: Tensor, name: str, args: list[Value]) -> Value:
    shape = shape_like(tensor)
    if name == "size" and not args:
        return Sequence(list(shape), is_list=False) if shape else Size(f"{text(tensor)}.size()")
    if name == "size" and shape is not None and isinstance(args[0], Constant) and isinstance(args[0].value, int):
        position = args[0].value
        if -len(shape) <= position < len(shape):
            return shape[position]
    return Symbol(f"{text(tensor)}.{name}({', '.join(map(text, args))})")


def drawn(by: str, tensor: Value, arguments: list[Value], keywords: dict[str, Value]) -> Distribution | None:
    """The distribution that a write draws from, as far as its arguments and the shape are known."""
    shape = known_shape(shape_like(tensor)) or ()
    return distribution_of(by, shape, [plain(v) for v in arguments], {k: plain(v) for k, v in keywords.items()})


def number_in(value: Value) -> Distribution | None:
    """The constant distribution of a number, or of a tensor of zeros or ones, that is written to another tensor."""
    match value:
        case Constant(value=bool()):
            return None
        case Constant(value=int() | float() as number):
            return distribution_of("Tensor.fill_", (), (number,))
        case Tensor(storage=Memory(storage)) if not storage.writes and not storage.changed:
            name = storage.call.removesuffix("_like")
            return distribution_of(name, ()) if name in ("torch.zeros", "torch.ones") else None
    return None


def plain(value: Value) -> object:
    """The number, string or bool that a value is; None for what is not known."""
    return value.value if isinstance(value, Constant) else None


def known_shape(shape: tuple[Value, ...] | None) -> tuple[int | None, ...] | None:
    """A shape with None for what is not known."""
    if shape is None or any(isinstance(entry, Size) for entry in shape):
        return None
    return tuple(e.value if isinstance(e, Constant) and isinstance(e.value, int) else None for e in shape)
