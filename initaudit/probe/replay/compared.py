"""Build a model where large models are built: on the meta device, with new memory, and initialized again.

The build is repeated under two fills of the new memory: what differs then was written by nobody. What was written is
compared with the values of the constructor, from two seeds each.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import Any

import msgspec
import torch

from initaudit.finding import Observer, Place
from initaudit.probe.facts.timelines import Timelines
from initaudit.probe.record.fills import Content, filling
from initaudit.probe.record.poison import Make, Tensors, build_again, differing, how_many, seed_everything, tensors_of
from initaudit.probe.record.readable import has_memory, is_imagined
from initaudit.probe.record.watch import Filler
from initaudit.probe.replay.alike import Twice, difference
from initaudit.probe.replay.checkpoint import checkpoint
from initaudit.probe.replay.loading import changed_on_load
from initaudit.probe.replay.rebuild import Again, CannotReplay, Rebuild
from initaudit.probe.replay.reinit import Reinitialization, class_of, is_pretrained
from initaudit.probe.replay.restore import persistent_buffers
from initaudit.probe.request import Target
from initaudit.probe.words import describe, few
from initaudit.subjects.lost_on_meta import ChangedOnLoad, NotRestored
from initaudit.timeline import Coverage, Kind, Unwritten


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay showed: facts, a sentence about what was called, and what was not judged, with what to do."""

    facts: tuple[NotRestored | ChangedOnLoad, ...] = ()
    said: str | None = None
    reasons: tuple[tuple[str, str | None], ...] = ()


class Replay:
    """One model: its ordinary build, and how it is built without memory."""

    def __init__(self, model: torch.nn.Module, timelines: Timelines, make: Make, on_meta: Make, target: Target) -> None:
        """``on_meta`` builds the model on the meta device. Raises TargetError for a state dict that cannot be used."""
        self.model = model
        self.timelines = timelines
        self.make = make
        self.target = target
        self.loaded = checkpoint(target, model)
        self.rebuild = Rebuild(model, on_meta, target, self.loaded)
        self.reasons: list[tuple[str, str | None]] = []
        self.said: str | None = None

    def run(self) -> Replayed:
        """Replay the build, and compare. Raises TargetError for what the user gave and cannot be used."""
        facts: list[NotRestored | ChangedOnLoad] = []
        try:
            facts += self._lost()
        except CannotReplay as cannot:
            self.reasons.append((f"the build on the meta device was not judged: {cannot.reason}", cannot.remedy))
        facts += self._left_by_loader()
        return Replayed(facts=tuple(_joined(facts)), said=self.said, reasons=tuple(self.reasons))

    # Comparison

    def _lost(self) -> Iterator[NotRestored | ChangedOnLoad]:
        """The tensors that are left unwritten, that lose a tie or what was loaded, or that get other values."""
        seed = self.target.seed
        first = self.rebuild.again(seed, Content.DOWN)
        self.said = first.said
        other = self.rebuild.again(seed, Content.UP).tensors
        raw = {
            path: differing(tensor, other.get(path))
            for path, tensor in first.tensors.items()
            if path in self.timelines.tensors
        }
        del other
        raw = {path: mask for path, mask in raw.items() if how_many(mask)}
        if raw:
            once_more = self.rebuild.again(seed, Content.DOWN).tensors
            unstable = [path for path in raw if how_many(differing(first.tensors[path], once_more.get(path)))]
            if unstable:
                self.reasons.append((f"initializing again gives {few(unstable)} other values each time", None))
            raw = {path: mask for path, mask in raw.items() if path not in unstable}
        yield from self._raw(first, raw)
        yield from self._changed(first, set(raw))
        if self.loaded is not None:
            yield from changed_on_load(self.rebuild, self.loaded, first, self.timelines, seed)
            self.said += self._fates(first, raw)

    def _fates(self, first: Again, raw: Collection[str]) -> str:
        """Say what became of the keys that were not loaded."""
        keys = (*self.loaded.missing, *self.loaded.reshaped) if self.loaded is not None else ()
        filled = self._filled(first)
        left = [key for key in keys if key in raw]
        tied = [key for key in keys if key in filled]
        written = [key for key in keys if key not in raw and key not in filled]
        fates = (("uninitialized then", left), ("tied to what was loaded", tied), ("initialized again", written))
        return "".join(f"; {fate}: {few(named)}" for fate, named in fates if named)

    def _filled(self, first: Again) -> set[str]:
        """The tensors that hold what was loaded, by their own key or that of a tensor that they are tied to."""
        if self.loaded is None:
            return set()
        loaded = self.loaded.state.keys() - set(self.loaded.reshaped)
        held = {id(first.tensors[path]) for path in loaded if path in first.tensors}
        return {path for path, tensor in first.tensors.items() if id(tensor) in held}

    def _judged(self, first: Again | None = None) -> Iterator[str]:
        """The tensors whose values the constructor determines, without those that were loaded."""
        filled = self._filled(first) if first is not None else set[str]()
        for path in self.timelines.tensors:
            known = self.timelines.coverage(path) is Coverage.WRITTEN and self.timelines.trustworthy(path)
            if known and path not in filled:
                yield path

    def _raw(self, first: Again, raw: dict[str, torch.Tensor]) -> Iterator[NotRestored]:
        kept = persistent_buffers(self.model) if first.pretrained and self.loaded is None else set[str]()
        gone = []
        for path in self._judged(first):
            tensor = first.tensors.get(path)
            if tensor is None:
                gone.append(path)
            elif path in kept:
                continue
            elif is_imagined(tensor):
                yield self._fact(path, first, unwritten=Unwritten(elements=tensor.numel(), total=tensor.numel()))
            elif path in raw:
                elements = how_many(raw[path])
                yield self._fact(path, first, unwritten=Unwritten(elements=elements, total=tensor.numel()))
        if gone:
            self.reasons.append((f"built on the meta device, the model has no {few(gone)}", None))

    def _changed(self, first: Again, raw: set[str]) -> Iterator[NotRestored]:
        """What lost a tie, and what holds other values than the constructor gives."""
        tied = dict(self._ties(first.tensors))
        for path, to in tied.items():
            if path not in raw:
                yield self._fact(path, first, tied=to)
        try:
            made = build_again(self.make, self.target.seed + 1, filling(Content.ZERO))
        except Exception as error:  # whatever the constructor raises
            reason = f"the values of the second initialization were not judged: a build raised {describe(error)}"
            self.reasons.append((reason, None))
            return
        again = self.rebuild.again(self.target.seed + 1, Content.DOWN).tensors
        for path in self._judged(first):
            if path in raw or path in tied or not all(path in tensors for tensors in (first.tensors, made, again)):
                continue
            other = difference(Twice(self.timelines.tensors[path], made[path]), Twice(first.tensors[path], again[path]))
            if other is not None:
                yield self._fact(path, first, other=other)

    def _ties(self, tensors: Tensors) -> Iterator[tuple[str, str]]:
        """The paths of tensors that shared their memory with an earlier path, and do not any more."""
        known: dict[int, str] = {}
        for path, tensor in self.timelines.tensors.items():
            to = known.setdefault(id(tensor), path)
            pair = tensors.get(path), tensors.get(to)
            if to != path and None not in pair and pair[0] is not pair[1]:
                yield path, to

    def _fact(self, path: str, first: Again, **what: Any) -> NotRestored:
        declared = self.timelines.declared[path]
        owner = path.rpartition(".")[0]
        by = first.called.of(owner)
        lacking = None if by is not None else class_of(self.model.get_submodule(owner))
        return NotRestored(
            observer=Observer.PROBE,
            place=self._allocated(path),
            model=declared.model,
            name=declared.name,
            kind=declared.kind,
            by=by or "",
            replayed=first.said,
            lacking=lacking,
            paths=(path,),
            pretrained=first.pretrained,
            loaded=self.loaded is not None and path in (*self.loaded.missing, *self.loaded.reshaped),
            **what,
        )

    def _allocated(self, path: str) -> Place:
        """The line that allocates a tensor in the ordinary build."""
        allocation = next(one.allocation for one in self.timelines.timelines if one.path == path)
        return allocation.place if allocation is not None else self.timelines.definition

    # Loaders

    def _left_by_loader(self) -> Iterator[NotRestored]:
        """Buffers without values where only parameters are on the meta device, and which no checkpoint holds."""
        persistent = persistent_buffers(self.model)
        judged = [
            path
            for path in self._judged()
            if self.timelines.declared[path].kind is Kind.BUFFER and path not in persistent
        ]
        if not judged or is_pretrained(self.model):  # whose loader is known
            return
        try:
            first, second = (self._with_real_buffers(content) for content in (Content.DOWN, Content.UP))
        except Exception as error:  # whatever a constructor raises that needs the values of a parameter
            reason = f"what a loader leaves uninitialized was not judged: the constructor raised {describe(error)}"
            self.reasons.append((reason, None))
            return
        for path in judged:
            pair = first.get(path), second.get(path)
            if pair[0] is None or not has_memory(pair[0]):
                continue
            elements = how_many(differing(*pair))
            if elements:
                unwritten = Unwritten(elements=elements, total=pair[0].numel())
                built = Again(first, {}, Reinitialization([]), "built with only its parameters on the meta device")
                yield self._fact(path, built, unwritten=unwritten, loader=True)

    def _with_real_buffers(self, content: Content) -> Tensors:
        seed_everything(self.target.seed)
        with parameters_on_meta(), Filler(filling(content)):
            return tensors_of(self.make())


def _joined(facts: list[NotRestored | ChangedOnLoad]) -> Iterator[NotRestored | ChangedOnLoad]:
    """One fact for all tensors of one declaration that fare alike."""
    alike: dict[tuple[object, ...], list[NotRestored | ChangedOnLoad]] = {}
    for fact in facts:
        kind: tuple[object, ...]
        if isinstance(fact, NotRestored):
            kind = (fact.other is None, fact.tied is None, fact.loader)
        else:
            kind = (fact.overwritten,)
        alike.setdefault((fact.model, fact.name, fact.place, *kind), []).append(fact)
    for first, *others in alike.values():
        paths = tuple(path for fact in (first, *others) for path in fact.paths)
        yield msgspec.structs.replace(first, paths=paths)


@contextlib.contextmanager
def parameters_on_meta() -> Iterator[None]:
    """While this lasts, each parameter goes to the meta device as it is registered, and buffers stay real.

    Loaders build models this way: accelerate's ``init_empty_weights``, and the libraries that use it.
    """
    register = torch.nn.Module.register_parameter

    def register_on_meta(module: torch.nn.Module, name: str, parameter: torch.nn.Parameter | None) -> None:
        register(module, name, parameter)
        plain = parameter is not None and type(parameter) is torch.nn.Parameter
        if parameter is not None and plain and not parameter.is_meta:
            moved = torch.nn.Parameter(parameter.detach().to("meta"), requires_grad=parameter.requires_grad)
            module._parameters[name] = moved

    torch.nn.Module.register_parameter = register_on_meta
    try:
        yield
    finally:
        torch.nn.Module.register_parameter = register
