"""From a model that can be built to an observation: build under watch and under the fills, compare, run a forward."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch

from initaudit.facts import Fact, Irreproducible, Observation, Undecided
from initaudit.finding import Observer, Place
from initaudit.probe import Target
from initaudit.probe.declarations import Declaration, declarations
from initaudit.probe.follow import Follow
from initaudit.probe.inputs import inputs_for
from initaudit.probe.lines import place_of_error
from initaudit.probe.poison import Built, Verdict, build, judge, nothing, seed_everything, tensors_of
from initaudit.probe.target import describe
from initaudit.probe.values import held, summarize
from initaudit.probe.watch import Record, Written
from initaudit.schemes import describe as scheme_name
from initaudit.schemes import recognise
from initaudit.timeline import (
    Allocation,
    Chain,
    Coverage,
    Kind,
    Link,
    ParameterTimeline,
    Unwritten,
    Write,
)

SHOWN_WRITES = 8


class Audit:
    """One model: the control build, what the fills showed, and what a forward showed."""

    def __init__(self, target: Target, make: Callable[[], torch.nn.Module], definition: Place) -> None:
        self.target = target
        self.definition = definition
        self.control: Built = build(make, target.seed, nothing)
        self.verdict: Verdict = judge(make, target.seed)
        self.tensors = self.control.tensors
        self.declared = declarations(self.control.model, self.control.watch)
        self.undecided: list[Undecided] = []
        self.read: set[str] | None = None

    def observation(self) -> Observation:
        """Everything that was seen."""
        if self.verdict.failure is not None:
            where = place_of_error(self.verdict.failure) or self.definition
            reason = f"construction depends on memory nobody wrote: with other garbage it raises {describe(self.verdict.failure)}"
            self.undecided.append(Undecided(place=where, subject=self.target.spec, reason=reason))
        chains = tuple(self.chains())
        return Observation(
            observer=Observer.PROBE,
            source=self.target.spec,
            parameters=tuple(self.timeline(name, tensor) for name, tensor in self.tensors.items()),
            chains=chains,
            facts=tuple(self.facts()),
            undecided=tuple(self.undecided),
        )

    def facts(self) -> Iterator[Fact]:
        for name, elements in self.verdict.unstable.items():
            declared, tensor = self.declared[name], self.tensors[name]
            record = self.record(tensor)
            place = _written_place(record) or self.definition
            yield Irreproducible(
                place=place,
                model=declared.model,
                parameter=declared.name,
                elements=elements,
                total=tensor.numel(),
            )

    def record(self, tensor: torch.Tensor) -> Record | None:
        return self.control.watch.record_of(tensor)

    # Timelines

    def timeline(self, name: str, tensor: torch.Tensor) -> ParameterTimeline:
        """The life of one parameter or buffer."""
        declared = self.declared[name]
        record = self.record(tensor)
        coverage, unwritten = self.coverage(name, tensor, record)
        last = record.origin.last_full_write() if record is not None else None
        return ParameterTimeline(
            observer=Observer.PROBE,
            model=declared.model,
            name=declared.name,
            kind=declared.kind,
            coverage=coverage,
            allocation=_allocation(record, tensor, self.definition),
            writes=tuple(_write(write) for write in (record.writes[-SHOWN_WRITES:] if record is not None else ())),
            path=name,
            gap=_gap(unwritten, coverage),
            influenced=coverage is not Coverage.WRITTEN and record is not None and record.overwritten,
            read_first=self.read_first(name, declared, coverage),
            trainable=tensor.requires_grad,
            unwritten=unwritten,
            values=summarize(tensor),
            scheme=_scheme(record, tensor, last) if coverage is Coverage.WRITTEN else None,
        )

    def coverage(
        self, name: str, tensor: torch.Tensor, record: Record | None
    ) -> tuple[Coverage, Unwritten | None]:
        """What the fills showed, or what was watched where no build under a fill came through."""
        if name in self.verdict.unstable:
            return Coverage.UNKNOWN, None
        mask = self.verdict.depends.get(name)
        if mask is None:
            raw = record is not None and record.origin.raw and not record.origin.writes
            if not raw or tensor.is_meta:
                return Coverage.WRITTEN, None
            mask = torch.ones(tensor.numel(), dtype=torch.bool)
        count = int(mask.sum())
        if count == 0:
            return Coverage.WRITTEN, None
        unwritten = Unwritten(elements=count, total=tensor.numel(), held=held(tensor, mask))
        return Coverage.NEVER if count == tensor.numel() else Coverage.PARTIAL, unwritten

    def read_first(self, name: str, declared: Declaration, coverage: Coverage) -> bool | None:
        if declared.kind is not Kind.BUFFER or coverage is Coverage.WRITTEN or self.read is None:
            return None
        return name in self.read

    # Chains

    def chains(self) -> Iterator[Chain]:
        """What a forward shows; none when there is no input, which is said."""
        model = self.control.model
        given = inputs_for(model, self.target)
        if given is None:
            self.skipped("no input is known; give one with --input-size")
            return
        weights: dict[int, str] = {}
        for name, tensor in _weights(model, self.tensors):
            weights.setdefault(tensor.untyped_storage()._cdata, name)
        raw = {
            tensor.untyped_storage()._cdata: name
            for name, tensor in self.tensors.items()
            if self.declared[name].kind is Kind.BUFFER and self.coverage(name, tensor, self.record(tensor))[1] is not None
        }
        follow = Follow(weights, raw)
        seed_everything(self.target.seed)
        training = model.training
        try:
            with torch.no_grad(), follow:
                model.eval()(*given[0], **given[1])
        except Exception as error:  # whatever the user's forward raises
            self.skipped(f"the forward raised {describe(error)}")
            return
        finally:
            model.train(training)
        follow.finish()
        self.read = follow.read
        yield from self._longest(follow.chains)

    def skipped(self, reason: str) -> None:
        subject = f"{self.target.spec}: INI401 and reads of buffers"
        self.undecided.append(Undecided(place=self.definition, subject=subject, reason=reason))

    def _longest(self, found: list[tuple[tuple[str, str | None, float], ...]]) -> Iterator[Chain]:
        """Chains that are not the beginning of a longer one."""
        seen: set[tuple[str, ...]] = set()
        found = [kept for links in found if (kept := tuple(itertools.takewhile(self._initialized, links)))]
        for links in sorted(found, key=lambda links: (len(links), links[-1][1] is not None), reverse=True):
            names = tuple(name for name, _, _ in links)
            if any(names == other[: len(names)] for other in seen):
                continue
            seen.add(names)
            first, last = links[0][2], links[-1][2]
            lost = math.log10(first / last) if first > 0 and last > 0 and len(links) > 1 else None
            yield Chain(
                observer=Observer.PROBE,
                model=self.declared[names[0]].model,
                links=tuple(self.link(name, activation) for name, activation, _ in links),
                normalized=False,
                lost_decades=lost,
            )

    def _initialized(self, link: tuple[str, str | None, float]) -> bool:
        """Whether the scale of a weight says anything: that of memory nobody wrote does not."""
        name, tensor = link[0], self.tensors[link[0]]
        return self.coverage(name, tensor, self.record(tensor))[0] is Coverage.WRITTEN

    def link(self, name: str, activation: str | None) -> Link:
        tensor, declared = self.tensors[name], self.declared[name]
        record = self.record(tensor)
        write = record.origin.last_full_write() if record is not None else None
        distribution = write.distribution if write is not None else None
        shape = tuple(tensor.shape)
        found = recognise(distribution, shape, write.by) if write is not None and distribution is not None else ()
        receptive = math.prod(shape[2:])
        return Link(
            place=_place(write),
            model=declared.model,
            parameter=declared.name,
            schemes=tuple(dict.fromkeys(recognition.scheme for recognition in found)),
            gain=found[0].gain if found else None,
            activation=activation,
            fan_in=shape[1] * receptive,
            fan_out=shape[0] * receptive,
            variance=float(tensor.detach().double().var(correction=0)) if tensor.is_floating_point() else None,
        )


def audit_instance(target: Target, model: torch.nn.Module, definition: Place) -> Observation:
    """An instance was built before anyone could watch: its values are all there is to see."""
    named = tensors_of(model)
    declared = declarations(model, None)
    reason = "an instance was built before anyone could watch: only its values are audited; name its class or a factory"
    return Observation(
        observer=Observer.PROBE,
        source=target.spec,
        parameters=tuple(
            ParameterTimeline(
                observer=Observer.PROBE,
                model=declared[name].model,
                name=declared[name].name,
                kind=declared[name].kind,
                coverage=Coverage.UNKNOWN,
                allocation=Allocation(place=definition, call=target.spec, raw=False, shape=tuple(tensor.shape)),
                path=name,
                trainable=tensor.requires_grad,
                values=summarize(tensor),
            )
            for name, tensor in named.items()
        ),
        undecided=(Undecided(place=definition, subject=target.spec, reason=reason),),
    )


def _weights(model: torch.nn.Module, tensors: dict[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """Parameters that multiply: two dimensions or more, and not a table that is looked up."""
    tables = {
        id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding | torch.nn.EmbeddingBag)
    }
    for name, tensor in tensors.items():
        if tensor.dim() >= 2 and isinstance(tensor, torch.nn.Parameter) and id(tensor) not in tables:
            yield name, tensor


def _place(write: Written | None) -> Place | None:
    return write.caused.writer.place if write is not None and write.caused.writer is not None else None


def _written_place(record: Record | None) -> Place | None:
    if record is None:
        return None
    caller = record.writes[-1].caused.writer if record.writes else record.caused.writer
    return caller.place if caller is not None else None


def _allocation(record: Record | None, tensor: torch.Tensor, definition: Place) -> Allocation | None:
    if record is None:
        return None
    origin = record.origin
    caller = origin.caused.writer
    place = caller.place if caller is not None else definition
    return Allocation(place=place, call=origin.call, raw=origin.raw, shape=tuple(tensor.shape))


def _write(write: Written) -> Write:
    cause = write.caused.cause
    return Write(
        place=_place(write),
        by=write.by,
        whole=write.whole,
        cause=cause.place if cause is not None else None,
        distribution=write.distribution,
    )


def _gap(unwritten: Unwritten | None, coverage: Coverage) -> str | None:
    if unwritten is None or coverage is not Coverage.PARTIAL:
        return None
    return f"{unwritten.elements} of {unwritten.total} elements are never written"


def _scheme(record: Record | None, tensor: torch.Tensor, last: Written | None) -> str | None:
    if record is None:
        return None
    shape: Any = tuple(tensor.shape)
    if last is not None and last.distribution is not None:
        return scheme_name(last.distribution, shape, last.by)
    if last is not None:
        return last.by
    made = record.origin
    return scheme_name(made.distribution, shape) if made.distribution is not None else made.call
