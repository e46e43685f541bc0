"""The declaration of a parameter: the class of user code that declares a tensor, and its name in that class."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType

import msgspec
import torch

from initaudit.probe.record.watch import Watch
from initaudit.timeline import Kind


class Declaration(msgspec.Struct, frozen=True):
    """A class ("package.module.Class"), and a parameter's name in it ("weight"; "fc.weight" for a torch layer's)."""

    model: str
    name: str
    kind: Kind


def declarations(model: torch.nn.Module, watch: Watch | None) -> dict[str, Declaration]:
    """The declaration of every parameter and buffer, by path. ``watch`` tells which class's code allocated it.

    A tied tensor is declared once, by the owner of its first path.
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    first: dict[int, Declaration] = {}
    found: dict[str, Declaration] = {}
    for path, tensor, kind in _tensors(model):
        if id(tensor) not in first:
            first[id(tensor)] = _declaration(path, tensor, kind, modules, watch)
        found[path] = first[id(tensor)]
    return found


def _tensors(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor, Kind]]:
    for path, parameter in model.named_parameters(remove_duplicate=False):
        yield path, parameter, Kind.PARAMETER
    for path, buffer in model.named_buffers(remove_duplicate=False):
        yield path, buffer, Kind.BUFFER


def _declaration(
    path: str, tensor: torch.Tensor, kind: Kind, modules: dict[str, torch.nn.Module], watch: Watch | None
) -> Declaration:
    owner_path, _, name = path.rpartition(".")
    while owner_path and is_torch(users_class(type(modules[owner_path]))):
        owner_path, _, above = owner_path.rpartition(".")
        name = f"{above}.{name}"
    owner = users_class(type(modules[owner_path]))
    record = watch.record_of(tensor) if watch is not None else None
    caller = record.caused.writer if record is not None else None
    if caller is not None:
        owner = class_of(owner, caller.code) or owner
    return Declaration(f"{owner.__module__}.{owner.__qualname__}", name, kind)


def users_class(cls: type) -> type:
    """Return the class that a user wrote, where torch makes another of it, as ``fully_shard`` does."""
    written = (base for base in cls.__mro__ if issubclass(base, torch.nn.Module) and not is_torch(base))
    return next(written, cls)


def wrapped(model: torch.nn.Module) -> torch.nn.Module:
    """Return the model within torch's wrappers around one module: ``DistributedDataParallel``, a compiled model."""
    while is_torch(users_class(type(model))) and not type(model).__module__.startswith("torch.nn.modules."):
        inner = list(model.children())
        if len(inner) != 1:
            break
        model = inner[0]
    return model


def is_torch(cls: type) -> bool:
    """Whether torch defines a class."""
    return cls.__module__.partition(".")[0] == "torch"


def class_of(owner: type, code: CodeType) -> type | None:
    """The class of the hierarchy one of whose own functions has this code, or has it inside (a comprehension)."""
    for cls in owner.__mro__:
        for value in vars(cls).values():
            function = inspect.unwrap(value) if callable(value) else getattr(value, "__func__", value)
            if isinstance(function, FunctionType) and _within(code, function.__code__):
                return cls
    return None


def _within(code: CodeType, outer: CodeType) -> bool:
    return code is outer or any(isinstance(inner, CodeType) and _within(code, inner) for inner in outer.co_consts)
