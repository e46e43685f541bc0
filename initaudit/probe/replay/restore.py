"""Find what a second initialization leaves unwritten, after the constructor's values are lost.

A model that is built on the meta device gets memory by ``to_empty()`` and values by the initializers that its modules
promise. A copy of the control build goes the same way, under two fills: what differs then was written by nobody.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch

from initaudit.finding import Observer
from initaudit.probe.blame import crossing
from initaudit.probe.facts.timelines import Timelines
from initaudit.probe.record.declarations import is_torch
from initaudit.probe.record.fills import Content, filling
from initaudit.probe.record.poison import Tensors, differences, seed_everything, tensors_of
from initaudit.probe.record.watch import Watch
from initaudit.probe.replay.reinit import FRAMEWORK, initialize_pretrained, qualified, reset_of
from initaudit.subjects.lost_on_meta import NotRestored
from initaudit.timeline import Coverage, Unwritten


def not_restored(model: torch.nn.Module, timelines: Timelines, seed: int) -> Iterator[NotRestored]:
    """The tensors that their initializer does not write again. Raises whatever the user's initializer raises."""
    promised = _promised(model)
    if not promised:
        return
    first, second = (_restored(model, seed, content) for content in (Content.DOWN, Content.UP))
    for path, differs in differences(first, second):
        by = promised.get(path.rpartition(".")[0])
        kept_by_loader = by is not None and by.endswith(FRAMEWORK[1]) and path in persistent_buffers(model)
        if by is None or kept_by_loader or timelines.coverage(path) is not Coverage.WRITTEN or not differs.any():
            continue
        allocation = next(one.allocation for one in timelines.timelines if one.path == path)
        if allocation is None:
            continue
        declared = timelines.declared[path]
        yield NotRestored(
            observer=Observer.PROBE,
            place=allocation.place,
            model=declared.model,
            name=declared.name,
            kind=declared.kind,
            by=by,
            unwritten=Unwritten(elements=int(differs.sum()), total=differs.numel()),
        )


def _promised(model: torch.nn.Module) -> dict[str, str]:
    """By path of a module, the initializer of user code that promises to write what the module itself holds."""
    if all(callable(getattr(model, name, None)) for name in FRAMEWORK):
        by = qualified(getattr(model, FRAMEWORK[1]))
        return {path: by for path, module in model.named_modules() if not is_torch(type(module))}
    return {
        path: qualified(reset)
        for path, module in model.named_modules()
        if (reset := reset_of(module)) is not None and not is_torch(type(module))
    }


def _restored(model: torch.nn.Module, seed: int, content: Content) -> Tensors:
    """A copy's tensors after it has lost its values and been initialized once more."""
    again = _copied(model)
    with Watch(filling(content)), torch.no_grad():
        emptied(again)
        seed_everything(seed)
        _initialize(again)
    return tensors_of(again)


@crossing
def _copied(model: torch.nn.Module) -> torch.nn.Module:
    return copy.deepcopy(model)


@crossing
def emptied(model: torch.nn.Module, device: str = "cpu") -> None:
    """Give a model new memory, in which nothing is written."""
    model.to_empty(device=device)


@crossing
def _initialize(model: torch.nn.Module) -> None:
    if all(callable(getattr(model, name, None)) for name in FRAMEWORK):
        initialize_pretrained(model)
        return
    for module in reversed(list(model.modules())):  # a parent may write what its children hold
        reset = reset_of(module)
        if reset is not None:
            reset()


def persistent_buffers(model: torch.nn.Module) -> set[str]:
    """The buffers that a checkpoint holds, by path."""
    return model.state_dict().keys() & dict(model.named_buffers()).keys()
