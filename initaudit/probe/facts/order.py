"""Initializations that ran before all modules existed, and those that were overwritten."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from initaudit.finding import Observer, Place
from initaudit.probe.facts.timelines import Timelines, place_of
from initaudit.probe.record.declarations import class_of
from initaudit.probe.record.records import Written
from initaudit.probe.record.watch import Application, Watch
from initaudit.subjects.order import EarlyWalk, Overwritten


def early_walks(timelines: Timelines) -> Iterator[EarlyWalk]:
    """Calls of ``apply`` in a constructor that then added layers of the kinds it wrote, which nothing initialized."""
    for application in timelines.watch.applications:
        missed = dict.fromkeys(
            path.partition(".")[0]
            for path, module in application.module.named_modules()
            if module not in application.there
            and type(module) in application.kinds
            and _left_alone(timelines.watch, application, module)
        )
        place = place_of(application.constructors[-1])
        if missed and place is not None:
            cls = type(application.module)
            yield EarlyWalk(
                observer=Observer.PROBE,
                place=place,
                source=f"{application.constructors[-1].spelled() or 'apply'}(...)",
                model=f"{cls.__module__}.{cls.__qualname__}",
                missed=tuple(missed),
                in_base=len(application.constructors) > 1,
            )


def _left_alone(watch: Watch, application: Application, module: torch.nn.Module) -> bool:
    """Whether a layer that the constructor made has torch's default."""
    weight = module._parameters.get("weight")
    record = watch.record_of(weight) if weight is not None else None
    if record is None or record.caused.writer is None or any(write.caused.direct for write in record.writes):
        return False
    return class_of(type(application.module), record.caused.writer.code) is not None


def overwritten(timelines: Timelines) -> Iterator[Overwritten]:
    """Constants that were written on purpose, and that a line which writes more than they did drew anew."""
    reach: dict[Place, set[tuple[str, str]]] = {}
    for name in timelines.tensors:
        declared = timelines.declared[name]
        for write in _own_writes(timelines, name):
            if (place := place_of(write.caused.writer)) is not None:
                reach.setdefault(place, set()).add((declared.model, declared.name))
    found: dict[Place, Overwritten] = {}
    for name in timelines.tensors:
        writes = _own_writes(timelines, name)
        last = writes[-1] if writes else None
        again = place_of(last.caused.writer) if last is not None else None
        if last is None or again is None or last.distribution is None or last.distribution.family == "constant":
            continue
        for write in writes[:-1]:
            place = place_of(write.caused.writer)
            if place is None or place in found:
                continue
            deliberate = write.distribution is not None and write.distribution.family == "constant"
            if deliberate and len(reach[again]) > len(reach[place]):
                declared = timelines.declared[name]
                found[place] = Overwritten(
                    observer=Observer.PROBE,
                    place=place,
                    source=write.by,
                    by=last.by,
                    again=place_of(last.caused.cause) or again,
                    model=declared.model,
                    parameter=declared.name,
                )
    yield from found.values()


def _own_writes(timelines: Timelines, name: str) -> list[Written]:
    """What user code wrote into all of a tensor, in order."""
    record = timelines.record(name)
    return (
        [write for write in record.writes if write.whole and write.overwrites and write.caused.direct] if record else []
    )
