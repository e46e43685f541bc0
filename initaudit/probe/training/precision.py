"""Run a model in double precision, where rounding does not make equal gradients differ.

A forward may name a type itself, as in ``x.float()``, so that a model whose parameters alone are converted would mix
types. Inside ``in_double``, each of torch's functions that is asked for a narrower type gives the double one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from initaudit.probe.blame import crossing

WIDER = {
    torch.float16: torch.float64,
    torch.bfloat16: torch.float64,
    torch.float32: torch.float64,
    torch.complex32: torch.complex128,
    torch.complex64: torch.complex128,
}
METHODS: dict[Any, Callable[..., Any]] = {
    torch.Tensor.half: torch.Tensor.double,
    torch.Tensor.bfloat16: torch.Tensor.double,
    torch.Tensor.float: torch.Tensor.double,
    torch.Tensor.chalf: torch.Tensor.cdouble,
    torch.Tensor.cfloat: torch.Tensor.cdouble,
}
"""Methods that convert to a type by their names."""


class _Widened(TorchFunctionMode):
    @crossing
    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = {name: _wider(one) for name, one in (kwargs or {}).items()}
        return METHODS.get(function, function)(*map(_wider, args), **given)


def _wider(value: Any) -> Any:
    return WIDER.get(value, value) if isinstance(value, torch.dtype) else value


@contextlib.contextmanager
def in_double() -> Iterator[None]:
    """Make torch's functions give double precision, also for new tensors and where another type is named."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _Widened():
            yield
    finally:
        torch.set_default_dtype(before)


def double(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor in double precision; integers as they are."""
    return tensor.to(WIDER.get(tensor.dtype, tensor.dtype))


def doubled(model: torch.nn.Module) -> torch.nn.Module:
    """Convert the parameters and buffers of a model to double precision, complex ones too."""
    return model._apply(double)
