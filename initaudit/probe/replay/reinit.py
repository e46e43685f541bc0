"""Run the initialization that a framework runs again after a model got new memory.

There are four ways, and the model decides which of them apply: transformers' ``_init_weights``, torchtitan's
``init_weights(buffer_device=...)``, the ``reset_parameters`` of each module, or a function of the user's.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch

from initaudit.probe.blame import crossing
from initaudit.probe.record.declarations import is_torch, users_class

RESET = "reset_parameters"
FRAMEWORK = ("init_weights", "_init_weights")
"""The method that transformers' models run again, and the one that it applies to each module."""
DONE = "_is_hf_initialized"
"""The mark by which transformers leaves alone what it initialized before."""
ON_DEVICE = "buffer_device"
"""The argument that says where torchtitan's models compute their buffers."""
OF_TRAINER = ("init_states", "init_weights")
"""The methods that torchtitan calls after ``to_empty()``."""


class Step(NamedTuple):
    """One call: the path of the module, the method in words, and whether it initializes everything below the module."""

    path: str
    name: str
    run: Callable[[], object]
    whole: bool

    def covers(self, path: str) -> bool:
        """Whether the call is to initialize what the module at a path holds itself."""
        return path == self.path or (self.whole and (not self.path or path.startswith(f"{self.path}.")))


class Reinitialization:
    """What is called to initialize a model again, in this order."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps = steps

    @crossing
    def run(self) -> None:
        """Initialize the model. Raises whatever its methods raise."""
        with torch.no_grad():
            for step in self.steps:
                step.run()

    def described(self) -> str:
        """What is called, in words: "`reset_parameters` of 3 modules, then `net.Net.init_weights`"."""
        resets = [step for step in self.steps if not step.whole]
        parts = [f"`{RESET}` of {len(resets)} module{'s' * (len(resets) > 1)}, children first"] if resets else []
        return ", then ".join([*parts, *dict.fromkeys(f"`{step.name}`" for step in self.steps if step.whole)])

    def of(self, path: str) -> str | None:
        """The method that is to initialize what the module at a path holds, its own first; None where there is none."""
        covering = [step for step in self.steps if step.covers(path)]
        return max(covering, key=lambda step: (len(step.path), not step.whole)).name if covering else None


def by_function(name: str, function: Callable[[torch.nn.Module], object], model: torch.nn.Module) -> Reinitialization:
    """A function of the user's, which is called with the model."""
    return Reinitialization([Step("", name, functools.partial(function, model), whole=True)])


def reinitialization(model: torch.nn.Module, device: str) -> Reinitialization:
    """Return what a framework would call on this model."""
    return Reinitialization(list(_steps("", model, device, set(), within=False)))


def _steps(path: str, module: torch.nn.Module, device: str, seen: set[int], *, within: bool) -> Iterator[Step]:
    """Yield the calls for a module, children first; ``within`` says that a module above initializes all below it."""
    if id(module) in seen:
        return
    seen.add(id(module))
    if is_pretrained(module):
        by = qualified(getattr(module, FRAMEWORK[1]))
        yield Step(path, by, functools.partial(initialize_pretrained, module), whole=True)
        return
    promise = _trainers(module, device)
    if promise is not None:
        yield Step(path, *promise, whole=True)
        return
    own = None if within else _own(module)
    for name, child in module.named_children():
        yield from _steps(f"{path}.{name}" if path else name, child, device, seen, within=within or own is not None)
    reset = reset_of(module)
    if reset is not None:
        yield Step(path, qualified(reset), reset, whole=False)
    if own is not None:
        yield Step(path, *own, whole=True)


def _trainers(module: torch.nn.Module, device: str) -> tuple[str, Callable[[], object]] | None:
    """The method that torchtitan would call, if the module has one with its arguments."""
    for name in OF_TRAINER:
        method = getattr(module, name, None)
        if callable(method) and ON_DEVICE in (taken := _parameters(method)) and not _required(taken) - {ON_DEVICE}:
            return qualified(method), functools.partial(method, **{ON_DEVICE: torch.device(device)})
    return None


def _own(module: torch.nn.Module) -> tuple[str, Callable[[], object]] | None:
    """An initializer of the whole model, by the name that libraries give it; it builds on ``reset_parameters``."""
    for name in reversed(OF_TRAINER):
        method = getattr(module, name, None)
        if callable(method) and not isinstance(method, torch.nn.Module) and not _required(_parameters(method)):
            return qualified(method), method
    return None


def _parameters(method: Callable[..., object]) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(method).parameters)
    except (TypeError, ValueError):  # a builtin
        return {"": inspect.Parameter("unknown", inspect.Parameter.POSITIONAL_ONLY)}


def _required(parameters: dict[str, inspect.Parameter]) -> set[str]:
    loose = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {name for name, one in parameters.items() if one.default is one.empty and one.kind not in loose}


def is_pretrained(module: torch.nn.Module) -> bool:
    """Whether a module is one of transformers' models."""
    transformers: Any = sys.modules.get("transformers.modeling_utils")
    return transformers is not None and isinstance(module, transformers.PreTrainedModel)


def initialize_pretrained(model: torch.nn.Module) -> None:
    """Initialize a model as transformers does, although it was initialized before."""
    for marked in (*model.modules(), *model.parameters(), *model.buffers()):
        vars(marked).pop(DONE, None)
    initialize: Any = getattr(model, FRAMEWORK[0])
    initialize()


def reset_of(module: torch.nn.Module) -> Callable[[], object] | None:
    """The method of a module that initializes its own parameters, if it has one."""
    found = getattr(module, RESET, None)
    return found if callable(found) else None


def qualified(method: Callable[..., object]) -> str:
    """The full name of a method: "net.Net.reset_parameters"; of a layer of torch, "nn.Linear.reset_parameters"."""
    owner = type(getattr(method, "__self__", None))
    if is_torch(owner):
        return f"nn.{owner.__name__}.{getattr(method, '__name__', RESET)}"
    return f"{method.__module__}.{getattr(method, '__qualname__', RESET)}"


def class_of(module: torch.nn.Module) -> str:
    """The full name of a module's class: "net.Net"; "nn.Linear" for a layer of torch."""
    cls = users_class(type(module))
    return f"nn.{cls.__name__}" if is_torch(cls) else f"{cls.__module__}.{cls.__qualname__}"
