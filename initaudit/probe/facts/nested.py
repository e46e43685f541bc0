"""Loops over children that reach none of their intended layers, since all of these are nested deeper."""

from __future__ import annotations

import ast
import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import torch

from initaudit.finding import Observer
from initaudit.naming import blocks, initializes
from initaudit.probe.files import is_installed, is_user_code
from initaudit.probe.record.declarations import is_torch
from initaudit.probe.record.lines import place_of_node
from initaudit.probe.record.walks import Loop, loops, variables_in
from initaudit.probe.record.watch import OF_CHILDREN, Walk, Watch, asks_for_types
from initaudit.subjects.loops import Iterates, ModelLoop

CONTAINERS = (torch.nn.Sequential, torch.nn.ModuleList, torch.nn.ModuleDict)


def nested_missed(watch: Watch) -> Iterator[ModelLoop]:
    """Loops over children with layers below them of the kinds they initialize, which nothing else initialized."""
    for loop in loops(watch, asks_for_types):
        kinds = _kinds(loop) if loop.walks[0].method in OF_CHILDREN else None
        if kinds is None or any(issubclass(come_to, kinds) for walk in loop.walks for come_to in walk.kinds):
            continue
        missed = {path: layer for walk in loop.walks for path, layer in _inside(walk, kinds)}
        if not missed or not all(_left_alone(watch, layer) for layer in missed.values()):
            continue
        held = [path.partition(".")[0] for path in missed]
        if isinstance(loop.walked, ast.Attribute):
            held = [loop.walked.attr]
        end = place_of_node(loop.code.co_filename, loop.node.iter)
        yield ModelLoop(
            observer=Observer.PROBE,
            place=msgspec.structs.replace(
                place_of_node(loop.code.co_filename, loop.node), end_row=end.end_row, end_column=end.end_column
            ),
            model=ast.unparse(loop.walked),
            iterates=Iterates(loop.walks[0].method),
            effect=True,
            missed=tuple(dict.fromkeys(_name(type(layer)) for layer in missed.values())),
            missed_in=tuple(dict.fromkeys(held)),
        )


def _kinds(loop: Loop) -> tuple[type, ...] | None:
    """The types of layers without which a loop initializes nothing; None where that is not all that it asks for."""
    _, element = loop.variables() or (None, "")
    asked = list(_asked_for(loop.node.body, element, loop.own(), ()))
    kinds = [_resolved(kind, loop) for each in asked for kind in each]
    layers = tuple(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, torch.nn.Module))
    if not all(asked) or not layers or len(layers) < len(kinds):
        return None
    return None if any(issubclass(container, layers) for container in CONTAINERS) else layers


def _asked_for(
    body: Sequence[ast.stmt], element: str, own: set[str], kinds: tuple[ast.expr, ...]
) -> Iterator[tuple[ast.expr, ...]]:
    """For each statement that initializes something of an element, the types that the element has to be of."""
    for statement in body:
        if isinstance(statement, ast.If):
            only_that = not variables_in(statement.test) & own
            asked = _types(statement.test, element) if only_that else ()
            yield from _asked_for(statement.body, element, own, asked or (kinds if only_that else ()))
            yield from _asked_for(statement.orelse, element, own, kinds)
        elif inner := list(blocks(statement)):
            for block in inner:
                yield from _asked_for(block, element, own, kinds)
        elif initializes([statement], element):
            yield kinds


def _types(test: ast.expr, element: str) -> tuple[ast.expr, ...]:
    """The types one of which an element has when a test holds; none where it may be any."""
    match test:
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=tested), kinds]) if tested == element:
            return tuple(kinds.elts) if isinstance(kinds, ast.Tuple) else (kinds,)
        case ast.BoolOp(op=ast.Or(), values=values):
            each = [_types(value, element) for value in values]
            return tuple(kind for kinds in each for kind in kinds) if all(each) else ()
        case ast.BoolOp(values=values):
            return next(filter(None, (_types(value, element) for value in values)), ())
    return ()


def _resolved(kind: ast.expr, loop: Loop) -> Any:
    """What a dotted name of the file stands for; None where it is no such name."""
    if isinstance(kind, ast.Name) and kind.id not in loop.own():
        return loop.walks[0].scope.get(kind.id)
    if isinstance(kind, ast.Attribute):
        with contextlib.suppress(Exception):  # whatever a module raises that imports its parts when they are asked for
            return getattr(_resolved(kind.value, loop), kind.attr)
    return None


def _inside(walk: Walk, kinds: tuple[type, ...]) -> Iterator[tuple[str, torch.nn.Module]]:
    """The layers of some kinds that were inside of others, however deep, when a module was walked over.

    These are containers of torch, or modules of the same project: those of a library initialize their own layers.
    """
    module = walk.module()
    held = dict(module.named_modules()) if module is not None else {}
    for path, layer in held.items():
        above = path.split(".")[:-1]
        owners = [type(held[".".join(above[: depth + 1])]) for depth in range(len(above))]
        inside = owners and all(issubclass(owner, CONTAINERS) or _of_project(owner, walk) for owner in owners)
        if inside and isinstance(layer, kinds) and layer in walk.below:
            yield path, layer


def _of_project(owner: type, walk: Walk) -> bool:
    """Whether a class is of the package that walks over a module, or as little installed as its code."""
    package = str(walk.scope.get("__name__")).partition(".")[0]
    if owner.__module__.partition(".")[0] == package:
        return True
    files = (walk.call.code.co_filename, getattr(sys.modules.get(owner.__module__), "__file__", None) or "")
    return not is_torch(owner) and all(is_user_code(file) and not is_installed(file) for file in files)


def _left_alone(watch: Watch, layer: torch.nn.Module) -> bool:
    """Whether a layer that was made while somebody watched has torch's default."""
    tensors = [tensor for tensor in layer._parameters.values() if tensor is not None]
    if not tensors or any(torch.nn.parameter.is_lazy(tensor) for tensor in tensors):
        return False
    records = [watch.record_of(tensor) for tensor in tensors]
    return all(
        record is not None and record.caused.writer is not None and not any(one.caused.direct for one in record.writes)
        for record in records
    )


def _name(cls: type) -> str:
    return f"torch.nn.{cls.__name__}" if is_torch(cls) else f"{cls.__module__}.{cls.__qualname__}"
