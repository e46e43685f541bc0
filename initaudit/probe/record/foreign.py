"""Memory shared by torch and numpy: results of ``numpy.empty`` are filled, and results of ``Tensor.numpy`` recorded."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from initaudit.probe.blame import crossing
from initaudit.probe.record.watch import Filler, Watch

RAW_FACTORIES = ("empty", "empty_like")


@contextlib.contextmanager
def numpy_watched(watch: Watch | Filler) -> Iterator[None]:
    """While this lasts, the watch records what ``numpy.empty`` gives. Names imported before keep the old function."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is None:
        yield
        return
    originals = {name: getattr(numpy, name) for name in RAW_FACTORIES}
    try:
        for name, factory in originals.items():
            setattr(numpy, name, _watched(factory, f"numpy.{name}", watch))
        yield
    finally:
        for name, factory in originals.items():
            setattr(numpy, name, factory)


@contextlib.contextmanager
def lending_watched(watch: Watch) -> Iterator[None]:
    """While this lasts, it is noted whose memory a tensor gives to numpy."""
    own = vars(torch.Tensor).get("numpy")
    original = torch.Tensor.numpy

    @functools.wraps(original)
    @crossing
    def numpy(self: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        record = watch.record_of(self)
        if record is not None:
            record.lent = True
        return original(self, *args, **kwargs)

    setattr(torch.Tensor, "numpy", numpy)  # noqa: B010
    try:
        yield
    finally:
        if own is not None:
            setattr(torch.Tensor, "numpy", own)  # noqa: B010
        else:
            delattr(torch.Tensor, "numpy")


def _watched(factory: Callable[..., Any], call: str, watch: Watch | Filler) -> Callable[..., Any]:
    @functools.wraps(factory)
    @crossing
    def watched(*args: Any, **kwargs: Any) -> Any:
        array = factory(*args, **kwargs)
        with contextlib.suppress(TypeError, ValueError), _disable_current_modes():  # types that torch has no tensors of
            watch.foreign(torch.from_numpy(array), call, array)
        return array

    return watched
