"""Calls of ``Module.apply`` during a build: the modules that existed at the time, and the writes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch

from initaudit.probe.blame import crossing
from initaudit.probe.record.declarations import is_torch
from initaudit.probe.record.lines import Call
from initaudit.probe.record.watch import Application, Watch


@contextmanager
def applications_watched(watch: Watch) -> Iterator[None]:
    """Inside, the outermost calls of ``apply`` that write the weight of some layer of torch are noted."""
    original: Callable[..., Any] = torch.nn.Module.apply
    running = False

    @crossing
    def apply(self: torch.nn.Module, fn: Callable[[torch.nn.Module], None]) -> torch.nn.Module:
        nonlocal running
        inside = tuple(map(Call, constructors(sys._getframe(1), self))) if not running else ()
        if not inside:
            return original(self, fn)
        running = True
        before = {module: _writes(watch, module) for module in self.modules()}
        try:
            return original(self, fn)
        finally:
            running = False
            kinds = {type(one) for one, count in before.items() if is_torch(type(one)) and _writes(watch, one) > count}
            if kinds:
                watch.applications.append(Application(self, frozenset(before), frozenset(kinds), inside))

    torch.nn.Module.apply = apply
    try:
        yield
    finally:
        torch.nn.Module.apply = original


def constructors(frame: FrameType | None, module: torch.nn.Module) -> Iterator[FrameType]:
    """Yield the frames of the constructors of a module that are running, from the inside out."""
    while frame is not None:
        if frame.f_code.co_name == "__init__" and frame.f_locals.get("self") is module:
            yield frame
        frame = frame.f_back


def _writes(watch: Watch, module: torch.nn.Module) -> int:
    """How often the weight of a module was written."""
    weight = module._parameters.get("weight")
    record = watch.record_of(weight) if weight is not None else None
    return len(record.writes) if record is not None else 0
