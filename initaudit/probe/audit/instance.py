"""Audit an instance: its values, and a forward of copies of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import msgspec
import torch

from initaudit.finding import Observer, Place
from initaudit.observation import Observation, Undecided
from initaudit.probe.audit.audit import Audit, environment
from initaudit.probe.audit.rebuilt import left_unwritten
from initaudit.probe.facts.timelines import without_memory
from initaudit.probe.ranks.compared import (
    is_spread,
    several,
    together,
    values_of,
)
from initaudit.probe.record.declarations import declarations, wrapped
from initaudit.probe.record.poison import (
    Built,
    Tensors,
    tensors_of,
)
from initaudit.probe.record.readable import is_distributed, is_imagined, shape_of
from initaudit.probe.record.watch import Watch
from initaudit.probe.request import Target
from initaudit.probe.unseen import (
    FORWARD,
    OF_INSTANCE,
    OF_RUN_INSTANCE,
)  # fmt: skip
from initaudit.probe.words import describe, few
from initaudit.timeline import Allocation, Coverage, ParameterTimeline

INSTANCE = (
    "the instance already exists, so only its values are audited; pass its class or a factory to audit its construction"
)
REBUILT = (
    "the instance already exists, so only its values are audited, and what its constructor leaves unwritten if it is "
    "called again with its `{}`; pass its class or a factory to audit its construction"
)
MATERIALIZE = "audit it after `to_empty` and the initialization"
ALL_META = f"not judged: every parameter and buffer is on meta, without values; {MATERIALIZE}"


def audit_instance(target: Target, model: torch.nn.Module, definition: Place) -> Observation:
    """Audit an instance that already exists: only its values can be checked.

    Where several ranks hold it, each has to ask, and all get the same answer.
    """
    declared, tensors = declarations(model, None), tensors_of(model)
    kept, unwritten = ("", {}) if several() else left_unwritten(target, wrapped(model), definition)
    seen = Observation(
        observer=Observer.PROBE,
        source=target.spec,
        parameters=tuple(
            unwritten.get(name)
            or ParameterTimeline(
                observer=Observer.PROBE,
                model=declared[name].model,
                name=declared[name].name,
                kind=declared[name].kind,
                coverage=Coverage.UNKNOWN,
                allocation=Allocation(place=definition, call=target.spec, raw=False, shape=shape_of(tensor)),
                path=name,
                trainable=tensor.requires_grad,
                values=values_of(tensor),
            )
            for name, tensor in tensors.items()
        ),
        undecided=(
            Undecided(
                place=definition,
                subject=target.spec,
                reason=REBUILT.format(kept) if kept else INSTANCE,
                unseen=OF_INSTANCE,
            ),
            *_valueless(target, tensors, definition),
        ),
        environment=environment(target, model),
        error=ALL_META if tensors and all(map(is_imagined, tensors.values())) else None,
    )
    if target.gives_inputs and seen.error is None:
        seen = _with_forward(seen, target, model, definition)
    return together(seen, model) if several() else seen


def _with_forward(seen: Observation, target: Target, model: torch.nn.Module, definition: Place) -> Observation:
    """An instance with what a forward shows of copies of it; the instance itself is left alone."""
    inner = wrapped(model)

    def copied() -> torch.nn.Module:
        return copy.deepcopy(inner)

    if is_spread(inner):
        return _not_run(seen, target, "no forward was run: it needs other ranks")
    try:
        control = Built(copied(), Watch())
    except Exception as error:  # whatever copying raises
        return _not_run(seen, target, f"no forward was run: copying it raised {describe(error)}")
    running = Audit(msgspec.structs.replace(target, seeds=1), copied, definition, control)
    running.follow()
    running.train()
    one = running.observation()
    instance = msgspec.structs.replace(seen.undecided[0], unseen=OF_RUN_INSTANCE)
    undecided = (instance, *seen.undecided[1:], *one.undecided)
    return msgspec.structs.replace(one, parameters=seen.parameters, undecided=undecided)


def _not_run(seen: Observation, target: Target, reason: str) -> Observation:
    """An instance of which no copy could be run, and why."""
    doubt = Undecided(place=seen.undecided[0].place, subject=target.spec, reason=reason, unseen=FORWARD)
    return msgspec.structs.replace(seen, undecided=(*seen.undecided, doubt))


def _valueless(target: Target, tensors: Tensors, definition: Place) -> Iterator[Undecided]:
    """What was not judged of an instance: what is on meta, and each tensor that is elsewhere or cannot be read."""
    meta = [name for name, tensor in tensors.items() if is_imagined(tensor)]
    unseen = (ParameterTimeline.__name__,)
    if meta and len(meta) < len(tensors):
        subject, reason = f"{target.spec}: {few(meta)}", "not judged: on meta, without values"
        yield Undecided(place=definition, subject=subject, reason=reason, unseen=unseen, remedy=MATERIALIZE)
    for name, tensor in tensors.items():
        if not is_imagined(tensor) and values_of(tensor) is None:
            reason = "not judged: other ranks hold parts of it" if is_distributed(tensor) else without_memory(tensor)
            yield Undecided(place=definition, subject=f"{target.spec}: {name}", reason=reason, unseen=unseen)
