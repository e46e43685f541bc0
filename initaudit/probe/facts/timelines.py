"""Build the timeline of each parameter and buffer from the records of a build and the comparison of fills."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import torch

from initaudit.finding import Observer, Place
from initaudit.observation import Undecided
from initaudit.probe.record.abstract import Abstract
from initaudit.probe.record.declarations import Declaration, declarations
from initaudit.probe.record.lines import LEGACY, Call
from initaudit.probe.record.poison import Built, Verdict, how_many
from initaudit.probe.record.readable import has_memory, is_imagined, shape_of
from initaudit.probe.record.recognised import scheme_of
from initaudit.probe.record.records import Record, Written
from initaudit.probe.record.values import summarize
from initaudit.subjects.base import Fact
from initaudit.subjects.builds import Irreproducible
from initaudit.timeline import Allocation, Coverage, ParameterTimeline, Unwritten, Values, Write

SHOWN_WRITES = 8
LOADED = frozenset(
    getattr(torch, name)
    for name in (
        "int8", "uint8", "int16", "uint16", "int32", "uint32", "bool", "qint8", "quint8", "qint32", "float8_e4m3fn",
        "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2",
    )
    if hasattr(torch, name)
)  # fmt: skip
"""Types of packed or quantized weights: memory of such a type that nothing writes waits for a loader."""


class Decided(msgspec.Struct, frozen=True):
    """What is known of a tensor's elements; ``shifted``: it differs only because construction took another course."""

    coverage: Coverage
    mask: torch.Tensor | None = None
    influenced: bool = False
    shifted: bool = False


WHOLE = Decided(Coverage.WRITTEN)
"""All elements were written, and none depends on what was not."""


class Timelines:
    """The parameters and buffers of a control build.

    All values are read at once, before a forward can change them; what ``earlier`` timelines of the same build read is
    read no more.
    """

    def __init__(
        self,
        control: Built,
        verdict: Verdict,
        definition: Place,
        target: str,
        earlier: Timelines | None = None,
    ) -> None:
        self.verdict = verdict
        self.definition = definition
        self.target = target
        self.watch = control.watch
        self.tensors = control.tensors
        self.declared: dict[str, Declaration] = (
            earlier.declared if earlier is not None else declarations(control.model, control.watch)
        )
        self.loaded = frozenset(self._loaded(control.model))
        self.values: Mapping[str, Values | None] = (
            earlier.values
            if earlier is not None
            else {name: summarize(one) if self.watch.holds(one) else None for name, one in self.tensors.items()}
        )
        self.decided = {name: self._decide(name, tensor) for name, tensor in self.tensors.items()}
        known = {} if earlier is None else dict(zip(earlier.decided, earlier.timelines, strict=True))
        same = {name for name in known if earlier is not None and earlier.decided[name] is self.decided[name] is WHOLE}
        self.timelines: tuple[ParameterTimeline, ...] = tuple(
            known[name] if name in same else self._timeline(name, tensor) for name, tensor in self.tensors.items()
        )
        self.lazy = tuple(
            name for name, tensor in control.model.named_parameters() if torch.nn.parameter.is_lazy(tensor)
        )

    def record(self, name: str) -> Record | None:
        return self.watch.record_of(self.tensors[name])

    def coverage(self, name: str) -> Coverage:
        return self.decided[name].coverage

    def garbage(self, name: str) -> torch.Tensor | None:
        """Which elements hold what nothing wrote, as a flat mask; None where nothing in the tensor depends on such.

        No element is marked where that is not known.
        """
        decided, record, mask = self.decided[name], self.record(name), self.verdict.depends.get(name)
        if record is None or record.garbage is None or decided.coverage is Coverage.WRITTEN:
            return None
        if mask is None:
            mask = decided.mask
        return torch.zeros((), dtype=torch.bool).expand(self.tensors[name].numel()) if mask is None else mask

    # Coverage

    def _decide(self, name: str, tensor: torch.Tensor) -> Decided:
        """What the fills showed; or what was watched, where no build under a fill came through."""
        record = self.record(name)
        garbage = record.garbage if record is not None else None
        if not has_memory(tensor) and not self.watch.abstract:
            return Decided(Coverage.UNKNOWN)
        mask = self.verdict.depends.get(name)
        if mask is None:
            return self._watched(name, record, tensor)
        count = how_many(mask)
        if name in self.verdict.unstable and (garbage is None or count == 0):
            return Decided(Coverage.UNKNOWN)
        if count == 0:
            hidden = self.verdict.failure is not None and garbage is not None
            return Decided(Coverage.UNKNOWN) if hidden else WHOLE
        if name.rpartition(".")[0] in self.loaded:
            return Decided(Coverage.UNKNOWN)
        if garbage is None and self.watch.failure is not None:
            return Decided(Coverage.UNKNOWN)
        if garbage is None:
            return Decided(Coverage.WRITTEN, influenced=True, shifted=True)
        coverage = Coverage.NEVER if count == tensor.numel() else Coverage.PARTIAL
        return Decided(coverage, mask, influenced=garbage is not record)

    def _watched(self, name: str, record: Record | None, tensor: torch.Tensor) -> Decided:
        if record is None or record.garbage is None:
            return Decided(Coverage.UNKNOWN) if self.watch.failure is not None else WHOLE
        seen = not record.writes and not record.lent and record.garbage is record and not self._guessed
        if not seen or name.rpartition(".")[0] in self.loaded:
            return Decided(Coverage.UNKNOWN)
        return Decided(Coverage.NEVER, torch.ones((), dtype=torch.bool).expand(tensor.numel()))

    @property
    def _guessed(self) -> bool:
        """Whether construction was given numbers that are not there, and may have taken another course."""
        return isinstance(self.watch, Abstract) and bool(self.watch.guesses)

    def _loaded(self, model: torch.nn.Module) -> Iterator[str]:
        """Modules with packed memory that nothing writes: all their raw tensors wait for a loader."""
        for path, module in model.named_modules():
            own = {**dict(module.named_parameters(recurse=False)), **dict(module.named_buffers(recurse=False))}
            for name, tensor in own.items():
                mask = self.verdict.depends.get(f"{path}.{name}" if path else name)
                record = self.watch.record_of(tensor) if self.watch.abstract else None
                raw = (mask is not None and how_many(mask) > 0) or (record is not None and record.garbage is not None)
                if tensor.dtype in LOADED and raw:
                    yield path
                    break

    # Timelines

    def _timeline(self, name: str, tensor: torch.Tensor) -> ParameterTimeline:
        declared, decided, record = self.declared[name], self.decided[name], self.record(name)
        missed = self.watch.failure is not None and decided.coverage is Coverage.UNKNOWN
        values = None if missed else self.values[name]
        unwritten = None
        if decided.mask is not None:
            elements = tensor.numel() if decided.coverage is Coverage.NEVER else int(decided.mask.sum())
            unwritten = Unwritten(elements=elements, total=tensor.numel())
            values = self._written_values(tensor, decided) if values is not None else None
        written = decided.coverage is Coverage.WRITTEN
        return ParameterTimeline(
            observer=Observer.PROBE,
            model=declared.model,
            name=declared.name,
            kind=declared.kind,
            coverage=decided.coverage,
            allocation=self._allocation(name, tensor),
            writes=tuple(write_of(write) for write in record.writes[-SHOWN_WRITES:]) if record is not None else (),
            path=name,
            gap=_gap(unwritten) if decided.coverage is Coverage.PARTIAL else None,
            influenced=decided.influenced,
            trainable=tensor.requires_grad,
            unwritten=unwritten,
            values=values,
            scheme=scheme_of(record, shape_of(tensor), values) if written else None,
        )

    @staticmethod
    def _written_values(tensor: torch.Tensor, decided: Decided) -> Values | None:
        """What the elements hold that something wrote, where there are any."""
        if decided.mask is None or decided.coverage is Coverage.NEVER:
            return None
        written = summarize(tensor.detach().cpu().reshape(-1)[~decided.mask.cpu()])
        return msgspec.structs.replace(written, shape=tuple(tensor.shape)) if written is not None else None

    def _allocation(self, name: str, tensor: torch.Tensor) -> Allocation | None:
        """Where the memory came from; of values computed from raw memory, where that came from."""
        record = self.record(name)
        if record is None:
            return None
        made = (record.garbage or record) if self.decided[name].mask is not None else record
        call, legacy = called(made)
        place = place_of(made.caused.writer) or self.definition
        return Allocation(place=place, call=call, raw=made.raw, legacy=legacy, shape=shape_of(tensor))

    # What depends on the course of the construction

    def facts(self) -> Iterator[Fact]:
        if self.watch.failure is not None:
            return
        for name, apart in self.verdict.unstable.items():
            if self.coverage(name) is Coverage.UNKNOWN and has_memory(self.tensors[name]):
                fact = self._irreproducible(name, apart.elements, self.written_at(name))
                yield msgspec.structs.replace(fact, largest=apart.largest)
        for name, apart in self.verdict.rounding.items():
            if name not in self.verdict.unstable:
                fact = self._irreproducible(name, apart.elements, self.written_at(name))
                yield msgspec.structs.replace(fact, largest=apart.largest, rounding=True)
        shifted = [name for name, decided in self.decided.items() if decided.shifted and self.trustworthy(name)]
        decision = next(iter(self.verdict.decisions), None)
        if not shifted or self._reported(decision.garbage if decision is not None else None):
            return
        reason, place = "construction depends on uninitialized memory", self.written_at(shifted[0])
        if decision is not None:
            reason = f"construction depends on uninitialized memory{_allocated_at(decision.garbage)}"
            place = place_of(decision.caller) or place
        elements = sum(how_many(self.verdict.depends[name]) for name in shifted)
        total = sum(self.tensors[name].numel() for name in shifted)
        fact = self._irreproducible(shifted[0], elements, place)
        affects = tuple(dict.fromkeys(self.declared[name].name for name in shifted))
        yield msgspec.structs.replace(fact, total=total, because=reason, affects=affects)

    def trustworthy(self, name: str) -> bool:
        """Whether the tensor is the same in equal builds."""
        return name not in self.verdict.unstable

    def _irreproducible(self, name: str, elements: int, place: Place) -> Irreproducible:
        declared = self.declared[name]
        return Irreproducible(
            place=place,
            model=declared.model,
            parameter=declared.name,
            elements=elements,
            total=self.tensors[name].numel(),
        )

    def written_at(self, name: str) -> Place:
        """The line of user code that wrote a tensor last."""
        record = self.record(name)
        caused = (record.writes[-1].caused if record.writes else record.caused) if record is not None else None
        return (place_of(caused.writer) if caused is not None else None) or self.definition

    def _reported(self, garbage: Record | None) -> bool:
        """Whether some tensor is known to hold this raw memory: then that is the cause, and is reported as such."""
        if garbage is None or garbage.caused.writer is None:
            return False
        place = garbage.caused.writer.place
        raw = (Coverage.NEVER, Coverage.PARTIAL)
        return any(one.coverage in raw and one.allocation and one.allocation.place == place for one in self.timelines)

    def undecided(self) -> Iterator[Undecided]:
        for name, decided in self.decided.items():
            reason = None
            if self.watch.abstract:
                reason = "a build without memory does not show which elements are written"
                reason = reason if decided.coverage is Coverage.UNKNOWN else None
            elif not has_memory(self.tensors[name]):
                reason = without_memory(self.tensors[name])
            elif name.rpartition(".")[0] in self.loaded and decided.coverage is Coverage.UNKNOWN:
                reason = "its module holds packed storage, which a loader fills"
            elif decided.coverage is Coverage.UNKNOWN and self.trustworthy(name):
                reason = (
                    "it may depend on uninitialized memory, and construction raises for some contents of that memory"
                )
            if reason is not None:
                yield self._doubt(name, self.written_at(name), reason)
        for name in self.lazy:
            reason = "it is lazy: it has no shape before the first forward"
            yield self._doubt(name, self.definition, reason)

    def _doubt(self, name: str, place: Place, reason: str) -> Undecided:
        unseen = (ParameterTimeline.__name__,)
        return Undecided(place=place, subject=f"{self.target}: {name}", reason=reason, unseen=unseen)


def without_memory(tensor: torch.Tensor) -> str:
    """Why the elements of a tensor cannot be read."""
    if is_imagined(tensor):
        return "it is on the meta device and has no memory"
    if tensor.is_nested or tensor.layout is not torch.strided:
        layout = "nested" if tensor.is_nested else str(tensor.layout).removeprefix("torch.").removeprefix("_")
        return f"the elements of a {layout} tensor are not read"
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        return f"the elements of a {type(tensor).__name__} are not read"
    return "its storage was freed or made smaller: it has no memory for all of its elements"


def called(record: Record) -> tuple[str, bool]:
    """The canonical name of what allocated a storage, and whether that is a constructor that takes a size or data."""
    caused = record.caused
    spelled = caused.writer.spelled() if caused.writer is not None else None
    if caused.layer is not None:
        return f"nn.{caused.layer}", False
    if spelled in LEGACY and record.call in ("torch.empty", "torch.tensor"):
        return f"torch.{spelled}", True
    if spelled == "new" and record.call == "torch.empty":
        return "Tensor.new", True
    return record.call, False


def place_of(call: Call | None) -> Place | None:
    """The place of a line, where there is one."""
    return call.place if call is not None else None


def write_of(write: Written) -> Write:
    """A write as the rules read it."""
    return Write(
        place=place_of(write.caused.writer),
        by=write.by,
        whole=write.whole,
        cause=place_of(write.caused.cause),
        distribution=write.distribution,
    )


def _allocated_at(garbage: Record) -> str:
    place = place_of(garbage.caused.writer)
    return f", allocated at {place.filename}:{place.row}" if place is not None else ""


def _gap(unwritten: Unwritten | None) -> str | None:
    return f"{unwritten.elements} of {unwritten.total} elements are never written" if unwritten is not None else None
