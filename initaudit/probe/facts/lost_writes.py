"""Writes without effect: to copies of parameters, and to weights that are recomputed."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Observer
from initaudit.probe.facts.timelines import Timelines, place_of
from initaudit.probe.record.records import Record, Written
from initaudit.subjects.lost_writes import CopyWrite, DerivedWrite


def lost_writes(timelines: Timelines) -> Iterator[CopyWrite | DerivedWrite]:
    """What user code wrote where no parameter or buffer is, and nothing read afterwards; once for each line."""
    kept = {id(record): name for name in timelines.tensors if (record := timelines.record(name)) is not None}
    found: dict[object, CopyWrite | DerivedWrite] = {}
    for record in timelines.watch.records.values():
        if id(record) in kept or not record.writes:
            continue
        if record.caused.derived is not None:
            fact: CopyWrite | DerivedWrite | None = _derived(record, record.writes[-1])
        else:
            fact = _copied(timelines, record, record.unread, kept) if record.unread is not None else None
        if fact is not None:
            found.setdefault((fact.place, type(fact)), fact)
    yield from found.values()


def _derived(record: Record, write: Written) -> DerivedWrite | None:
    """A write of a weight that is computed from other parameters."""
    derivation, place = record.caused.derived, place_of(write.caused.writer)
    if derivation is None or place is None or write.caused.derived is not None or not write.caused.direct:
        return None
    return DerivedWrite(observer=Observer.PROBE, place=place, target="weight", layer=derivation.layer, by=derivation.by)


def _copied(timelines: Timelines, record: Record, write: Written, kept: dict[int, str]) -> CopyWrite | None:
    """A write of a copy of a parameter, that is gone."""
    origin, place = record.origin, place_of(write.caused.writer)
    while origin is not None and id(origin) not in kept:
        origin = origin.origin
    if origin is None or place is None or not write.caused.direct or not record.reference.expired():
        return None
    copying = record.copying
    spelled = copying.writer.spelled() if copying is not None and copying.writer is not None else None
    if spelled == "deepcopy":
        return None  # a layer's parameter of its own, until another was tied in its place
    declared = timelines.declared[kept[id(origin)]]
    return CopyWrite(
        observer=Observer.PROBE,
        place=place,
        target=declared.name,
        how=f"`{spelled or 'clone'}`" if copying is not None else "advanced indexing",
        certain=True,
        model=declared.model,
        parameter=declared.name,
    )
