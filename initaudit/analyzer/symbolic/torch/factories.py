"""What makes tensors: parameters, sizes without values, and values."""

from __future__ import annotations

import ast

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import External
from initaudit.analyzer.source.snippets import dotted
from initaudit.analyzer.symbolic import tensors
from initaudit.analyzer.symbolic.run import Run
from initaudit.analyzer.symbolic.torch import functions
from initaudit.analyzer.symbolic.torch.call import Call, Handler
from initaudit.analyzer.symbolic.values import NONE, UNKNOWN, Choice, Signal, Size, Tensor, Value, choose, text

TAKE_ARRAYS = ("tensor", "as_tensor", "from_numpy")
DRAWN = {"numpy.random.randn": "torch.randn", "numpy.random.rand": "torch.rand"}
"""NumPy's functions that are given a size by position, and torch's that draw the same."""
TAKE_SIZES = ("zeros", "ones", "rand", "randn", "full")
"""Of what makes values, what is given a size by position."""


def parameter(data: Value, *, buffer: bool = False) -> Value:
    """Return the parameter, or the buffer, that has the memory of a tensor."""
    match data:
        case Tensor(storage=storage, part=part):
            tensors.own(data)
            return Tensor(storage, parameter=not buffer, buffer=buffer, part=part)
        case Choice(test, then, otherwise):
            return choose(test, parameter(then, buffer=buffer), parameter(otherwise, buffer=buffer))
        case _:
            return UNKNOWN


def _registered(run: Run, call: Call) -> Value:
    """``nn.Parameter(data)`` and ``nn.Buffer(data)``."""
    data = call.argument(0, "data")
    tensors.place(data, call.origin)
    return parameter(data, buffer=call.short == "Buffer")


def _drawn_by_numpy(run: Run, call: Call) -> Value | None:
    """Return the tensor of an array that NumPy draws in the call itself: ``torch.tensor(np.random.randn(3, 4))``.

    It may also leave its memory raw there: ``torch.from_numpy(np.empty((3, 4)))``.
    """
    match call.origin.node:
        case ast.Call(args=[ast.Call(func=function, args=[size, *_]), *_]) if dotted(function).endswith(".empty"):
            found = run.project.resolve(run.frame.module, dotted(function))
            if isinstance(found, External) and found.name == "numpy.empty":
                return tensors.allocate(run, found.name, [run.evaluate(size)], {}, call.origin, legacy=False)
        case ast.Call(args=[ast.Call(func=function, args=[_, *_] as sizes, keywords=[]), *_]) if dotted(function):
            found = run.project.resolve(run.frame.module, dotted(function))
            factory = DRAWN.get(found.name) if isinstance(found, External) else None
            if factory is not None and not any(isinstance(size, ast.Starred) for size in sizes):
                return tensors.fresh(run, factory, call.origin, tuple(map(run.evaluate, sizes)))
    return None


def _legacy(run: Run, call: Call) -> Value:
    """``torch.Tensor(...)`` and the constructors of its types."""
    if len(call.args) == 1 and (drawn := _drawn_by_numpy(run, call)) is not None:
        return drawn
    return tensors.allocate(run, call.name, call.args, call.keywords, call.origin, legacy=True)


def _raw(run: Run, call: Call) -> Value:
    """``torch.empty(...)``; what is given as ``out`` keeps what it holds."""
    if (out := call.keywords.get("out", NONE)) != NONE:
        return out
    return tensors.allocate(run, call.name, call.args, call.keywords, call.origin, legacy=False)


def _raw_like(run: Run, call: Call) -> Value:
    """``torch.empty_like(other)``."""
    like = call.argument(0, "input")
    shape = tensors.shape_like(like) or (Size(f"{text(like)}.shape"),)
    return _raw(run, Call(call.name, list(shape), call.keywords, call.origin))


def _values(run: Run, call: Call) -> Value:
    """``torch.zeros(...)``, ``torch.tensor(...)`` and others that write what they allocate."""
    if isinstance(call.keywords.get("out"), Tensor) or (call.args and isinstance(call.args[0], Signal)):
        return functions.other(run, call)
    if call.short in TAKE_ARRAYS and (drawn := _drawn_by_numpy(run, call)) is not None:
        return drawn
    sizes = call.args[:1] if call.short == "full" else call.args
    takes_size = call.short in TAKE_SIZES
    size = tensors.size_arguments(run, sizes, call.keywords, legacy=False)[0] if takes_size else None
    if call.short.endswith("_like"):
        size = tensors.shape_like(call.argument(0, "input"))
    return tensors.fresh(run, call.name, call.origin, size)


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(torch_api.NEW_TENSOR_FACTORIES, _values),
    **dict.fromkeys(("torch.tensor", "torch.from_numpy", "torch.as_tensor"), _values),
    **dict.fromkeys(torch_api.LEGACY_CONSTRUCTORS, _legacy),
    **{name: _raw_like if takes == "tensor" else _raw for name, takes in torch_api.RAW_FACTORIES.items()},
    "torch.nn.Parameter": _registered,
    "torch.nn.Buffer": _registered,
}
