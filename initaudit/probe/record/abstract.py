"""Build a model without its memory: large tensors go to the meta device, small ones are real.

Everything that allocates and writes is recorded as ever. What depends on values that are not there is guessed: such a
guess is noted, and from then on nothing is said to be unwritten.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import types
from collections.abc import Iterator
from typing import Any

import torch

from initaudit.probe.blame import crossing
from initaudit.probe.record.foreign import lending_watched, numpy_watched
from initaudit.probe.record.lines import Call, who
from initaudit.probe.record.poison import BuildError, Built, Make, seed_everything
from initaudit.probe.record.storages import key_of
from initaudit.probe.record.watch import OVERWRITES, Watch, plain_name, tensors_in, written_arguments
from initaudit.probe.request import TargetError

LARGE = 65_536
"""Elements from which on a tensor is not made for real."""
EARLY = ("orthogonal_", "sparse_", "trunc_normal_", "dirac_")
"""Initializers that return early on the meta device, or that do much there to no effect."""
HOOK = "_initaudit_watches"
"""The name under which these initializers find, in their module, who watches them."""
ANSWERS = frozenset({"equal", "allclose", "is_nonzero"})
"""Operators that answer by a truth value of Python's."""


class Abstract(Watch):
    """A watch under which no large tensor has memory.

    ``guesses`` are the lines that asked for a value that is not there, ``stale`` the storages that are real and would
    hold other values. ``accepted`` are fills and draws that torch has run: it spends a millisecond of Python on each,
    to no effect, so that the same arguments are not tried again.
    """

    abstract = True

    def __init__(self) -> None:
        super().__init__()
        self.guesses: list[Call | None] = []
        self.stale: set[int] = set()
        self.accepted: set[tuple[object, ...]] = set()

    @crossing
    def run(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        operands = list(tensors_in((args, kwargs)))
        if not any(tensor.is_meta for tensor in operands):
            large = _size(function, args, kwargs) > LARGE
            return function(*args, **(_without_memory(kwargs) if large else kwargs))
        name = plain_name(function)
        if name == "_local_scalar_dense" or name in ANSWERS:
            self.guesses.append(who().writer)
            return _guess(operands[0].dtype) if name not in ANSWERS else False
        real = [tensor for tensor in _written(function, args, kwargs) if not tensor.is_meta]
        if real:  # a small tensor that is written with values that are not there
            self.stale.update(key for tensor in real if (key := key_of(tensor)) is not None)
            return real[0]
        if name in OVERWRITES and len(operands) == 1 and operands[0].is_contiguous():
            given = _without_memory(kwargs)
            asked = (function, operands[0].dtype, *args[1:], *sorted(given.items()))
            if asked not in self.accepted:
                function(*_on_meta(args), **given)
                self.accepted.add(asked)
            return operands[0]
        return function(*_on_meta(args), **_without_memory(_on_meta(kwargs)))

    def holds(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor holds the values that the program would give it."""
        return not tensor.is_meta and key_of(tensor) not in self.stale


def abstract_build(make: Make, seed: int) -> Built:
    """Build a model without its memory. Raises BuildError where that does not work."""
    seed_everything(seed)
    watch = Abstract()
    try:
        with _initializers_watched(watch), numpy_watched(watch), lending_watched(watch), watch:
            model = make()
    except TargetError:
        raise
    except (Exception, SystemExit) as error:  # whatever a constructor raises
        raise BuildError(error, garbage=watch.holds_garbage) from error
    return Built(model, watch)


def raises_anyway(make: Make, error: BaseException) -> bool:
    """Whether a constructor raises whatever its tensors hold, such as for a package that is not installed.

    An unwatched build on the meta device has to raise the same, and torch has no part in it: it raises RuntimeError, or
    speaks of "meta", where a value is missing.
    """
    if any(isinstance(one, RuntimeError) or "meta" in str(one) for one in _causes(error)):
        return False
    try:
        with torch.device("meta"):
            make()
    except Exception as again:  # whatever a constructor raises
        return type(again) is type(error) and str(again) == str(error)
    return False


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, and those that it was raised from or while they were handled."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _size(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """How many elements a factory makes; 0 for whatever takes no device, or tells its size otherwise."""
    names = [argument.name for argument in function._schema.arguments]
    if "device" not in names:
        return 0
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    if "size" in given:
        return math.prod(given["size"])
    return int(given["n"]) * int(given.get("m", given["n"])) if plain_name(function) == "eye" else 0


def _without_memory(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keywords of an operator that is to run on the meta device, which has no generators and pins nothing."""
    changed = {name: value for name, value in kwargs.items() if name not in ("generator", "pin_memory")}
    return {**changed, "device": torch.device("meta")} if "device" in changed else changed


def _on_meta(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        if value.is_meta:
            return value
        return torch.empty_strided(tuple(value.shape), value.stride(), dtype=value.dtype, device="meta")
    if isinstance(value, torch.Generator):
        return None
    if isinstance(value, dict):
        return {key: _on_meta(item) for key, item in value.items()}
    return type(value)(_on_meta(item) for item in value) if type(value) in (list, tuple) else value


def _written(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[torch.Tensor]:
    for position, keyword, _ in written_arguments(function):
        yield from tensors_in(args[position] if position < len(args) else kwargs.get(keyword))


def _guess(dtype: torch.dtype) -> bool | int | float:
    if dtype is torch.bool:
        return False
    return 1.0 if dtype.is_floating_point else 1


@contextlib.contextmanager
def _initializers_watched(watch: Abstract) -> Iterator[None]:
    """While this lasts, the watch records what initializers would do that do nothing on the meta device.

    It is their code that changes, so that they are watched under whatever name a program keeps them.
    """
    functions = {name: getattr(torch.nn.init, name) for name in EARLY}
    kept = {name: (one.__code__, one.__defaults__, one.__kwdefaults__) for name, one in functions.items()}
    originals = {name: _copy(function) for name, function in functions.items()}

    @crossing
    def called(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        arguments = inspect.signature(originals[name]).bind(*args, **kwargs).arguments
        tensor = arguments.pop("tensor")
        if not tensor.is_meta:
            return originals[name](*args, **kwargs)
        watch.initialized(tensor, name, arguments)
        return tensor

    vars(torch.nn.init)[HOOK] = called
    try:
        for name, function in functions.items():
            function.__defaults__, function.__kwdefaults__ = None, None
            function.__code__ = _calling_hook(name)
        yield
    finally:
        for name, function in functions.items():
            function.__code__, function.__defaults__, function.__kwdefaults__ = kept[name]
        del vars(torch.nn.init)[HOOK]


def _copy(function: Any) -> Any:
    copy = types.FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _calling_hook(name: str) -> types.CodeType:
    """The code of a function of this name that leaves everything to the hook in its module."""
    scope: dict[str, Any] = {}
    exec(f"def {name}(*args, **kwargs): return {HOOK}({name!r}, args, kwargs)", scope)
    code: types.CodeType = scope[name].__code__
    return code
