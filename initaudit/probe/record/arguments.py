"""Note the integers that modules are constructed with: few models keep the number of classes as an attribute."""

from __future__ import annotations

import inspect
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any

import torch

from initaudit.probe.blame import crossing
from initaudit.probe.record.applications import constructors

_noted: dict[int, dict[str, frozenset[int]]] = {}
"""By the id of a module that lives."""


def integers_given(model: torch.nn.Module) -> dict[str, frozenset[int]] | None:
    """Return the integers that the constructors of a module were called with, by argument.

    None if the module was not built within ``arguments_noted``, as a copy is not.
    """
    return _noted.get(id(model))


@contextmanager
def arguments_noted() -> Iterator[None]:
    """Inside, note the integers that each module is constructed with."""
    original: Callable[..., None] = torch.nn.Module.__init__

    @crossing
    def __init__(self: torch.nn.Module, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        if id(self) not in _noted:
            weakref.finalize(self, _noted.pop, id(self), None).atexit = False
        _noted[id(self)] = _integers(self)
        original(self, *args, **kwargs)

    torch.nn.Module.__init__ = __init__
    try:
        yield
    finally:
        torch.nn.Module.__init__ = original


def _integers(module: torch.nn.Module) -> dict[str, frozenset[int]]:
    """Return the integer arguments of the constructors of a module that are running, ``**kwargs`` among them."""
    found: dict[str, frozenset[int]] = {}
    for frame in constructors(sys._getframe(2), module):
        code = frame.f_code
        values = {name: frame.f_locals.get(name) for name in code.co_varnames[: _arguments(code)]}
        for further in [one for one in values.values() if isinstance(one, dict)]:
            values |= further
        for name, value in values.items():
            if isinstance(name, str) and type(value) is int:
                found[name] = found.get(name, frozenset()) | {value}
    return found


def _arguments(code: CodeType) -> int:
    """Return how many local variables of a function are arguments, ``*args`` and ``**kwargs`` included."""
    extra = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return code.co_argcount + code.co_kwonlyargcount + extra
