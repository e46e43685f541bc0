"""Inputs given by the user: a function, and the dtypes on the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch

from initaudit.probe.request import Target, TargetError
from initaudit.probe.target.resolve import find
from initaudit.probe.words import describe

Inputs = tuple[tuple[Any, ...], dict[str, Any]]


def check(target: Target) -> None:
    """Raise TargetError for what is asked for and does not exist."""
    for name in target.dtypes:
        if not isinstance(getattr(torch, name, None), torch.dtype):
            raise TargetError(f"torch has no dtype {name!r}")
    if len(target.dtypes) > 1 and len(target.dtypes) != len(target.input_sizes):
        counts = f"{len(target.dtypes)} dtypes for {len(target.input_sizes)} inputs"
        raise TargetError(f"{counts}; give one for all, or one for each")
    if target.input_data is not None:
        _function(target.input_data)
        if target.input_sizes:
            raise TargetError("give either input sizes or a function that returns the inputs, not both")
    if target.reinit is not None:
        given_function(target.reinit)
    try:
        torch.empty(0, device=target.device)
    except (RuntimeError, AssertionError) as error:
        raise TargetError(f"there is no device {target.device!r} here ({error})") from error


def given_by(spec: str) -> Inputs:
    """What a function of the user's returns: a tensor, a tuple of positional inputs, or a dictionary of named ones.

    Raises TargetError when it raises.
    """
    function = _function(spec)
    try:
        data = function()
    except Exception as error:  # whatever it raises
        raise TargetError(f"the input data {spec} raised {describe(error)}") from error
    return as_inputs(data)


def as_inputs(data: Any) -> Inputs:
    """Positional and named inputs from what a user writes for them."""
    if isinstance(data, dict):
        return (), dict(data)
    return (tuple(data) if isinstance(data, tuple | list) else (data,)), {}


def _function(spec: str) -> Callable[[], Any]:
    return cast("Callable[[], Any]", _found(spec, "input data"))


def _found(spec: str, what: str) -> Callable[..., Any]:
    module, _, path = spec.rpartition(":")
    if not module or not path:
        raise TargetError(f"{spec}: give {what} as module:function or path/file.py:function")
    function = find(module, path)
    if not callable(function):
        raise TargetError(f"{spec} is not a function")
    return cast("Callable[..., Any]", function)


def given_function(spec: str) -> Callable[[torch.nn.Module], object]:
    """The function of the user's that initializes a model. Raises TargetError where there is none."""
    return _found(spec, "an initialization")


def moved(value: Any, device: str) -> Any:
    """Inputs on a device."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: moved(item, device) for key, item in value.items()}
    return type(value)(moved(item, device) for item in value) if type(value) in (list, tuple) else value
