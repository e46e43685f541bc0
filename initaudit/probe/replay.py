"""Build a model where large models are built: on the meta device, with new memory, and initialized again.

The build is repeated under two fills of the new memory: what differs then was written by nobody. What was written is
compared with the values of the constructor, from two seeds each.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
import torch

from initaudit.finding import Observer, Place
from initaudit.probe.alike import Twice, told_apart
from initaudit.probe.blame import crossing
from initaudit.probe.fills import Content, filling
from initaudit.probe.poison import Make, Tensors, build_again, differing, how_many, seed_everything, tensors_of
from initaudit.probe.readable import has_memory, is_imagined
from initaudit.probe.reinit import Reinitialization, by_function, class_of, is_pretrained, reinitialization
from initaudit.probe.request import Target, TargetError
from initaudit.probe.restore import emptied, persistent_buffers
from initaudit.probe.target import find
from initaudit.probe.timelines import Timelines
from initaudit.probe.watch import Filler
from initaudit.probe.words import describe, few
from initaudit.subjects.lost_on_meta import NotRestored
from initaudit.timeline import Coverage, Kind, Unwritten

NOTHING = "it has no initializer to run again, such as `reset_parameters`"
GIVE = "name a function that initializes the model, with --reinit module:function"
REAL = "compute in a method that runs after `to_empty()` what needs values"
FROM_PRETRAINED = "`from_pretrained` without any key"


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay showed: facts, a sentence about what was called, and what was not judged, with what to do."""

    facts: tuple[NotRestored, ...] = ()
    said: str | None = None
    reasons: tuple[tuple[str, str | None], ...] = ()


class CannotReplay(Exception):  # noqa: N818
    """A build on the meta device that does not work; says why."""

    def __init__(self, reason: str, remedy: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


class Again(NamedTuple):
    """The tensors of a model that was initialized again, and what was called for that."""

    tensors: Tensors
    called: Reinitialization
    said: str


def given_function(spec: str) -> Callable[[torch.nn.Module], object]:
    """The function that initializes a model, by its name. Raises TargetError where there is none."""
    module, _, path = spec.rpartition(":")
    if not module or not path:
        raise TargetError(f"{spec}: give an initialization as module:function or path/file.py:function")
    function = find(module, path)
    if not callable(function):
        raise TargetError(f"{spec} is not a function")
    checked: Callable[[torch.nn.Module], object] = function
    return checked


class Replay:
    """One model: its ordinary build, and how it is built without memory."""

    def __init__(self, model: torch.nn.Module, timelines: Timelines, make: Make, on_meta: Make, target: Target) -> None:
        """``on_meta`` builds the model on the meta device."""
        self.model = model
        self.timelines = timelines
        self.make = make
        self.on_meta = on_meta
        self.target = target
        self.reasons: list[tuple[str, str | None]] = []
        self.said: str | None = None

    def run(self) -> Replayed:
        """Replay the build, and compare. Raises TargetError for a function of the user's that raises."""
        facts: list[NotRestored] = []
        try:
            facts += self._lost()
        except CannotReplay as cannot:
            self.reasons.append((f"the build on the meta device was not judged: {cannot.reason}", cannot.remedy))
        facts += self._left_by_loader()
        return Replayed(facts=tuple(_joined(facts)), said=self.said, reasons=tuple(self.reasons))

    # Builds

    def again(self, seed: int, content: Content) -> Again:
        """Build on the meta device, give memory with this content, and initialize."""
        if is_pretrained(self.model) and self.target.reinit is None:
            loaded = self._from_pretrained(seed, content)
            if loaded is not None:
                return loaded
        model = self._built_on_meta(seed)
        with Filler(filling(content)):
            try:
                emptied(model, self.target.device)
            except Exception as error:  # whatever a module's own `_apply` raises
                raise CannotReplay(f"`to_empty()` raised {describe(error)}") from error
            called = self._reinitialization(model)
            seed_everything(seed)
            try:
                called.run()
            except Exception as error:  # whatever the user's initializers raise
                if self.target.reinit is not None:
                    raise TargetError(f"the initialization {self.target.reinit} raised {describe(error)}") from error
                raise CannotReplay(f"initializing it again raised {describe(error)}", GIVE) from error
        return Again(tensors_of(model), called, f"built on the meta device, `to_empty()`, then {called.told()}")

    def _built_on_meta(self, seed: int) -> torch.nn.Module:
        seed_everything(seed)
        try:
            return self.on_meta()
        except TargetError:
            raise
        except (Exception, SystemExit) as error:  # whatever a constructor raises
            reason = f"it cannot be built there: the constructor raised {describe(error)}"
            raise CannotReplay(reason, REAL) from error

    def _reinitialization(self, model: torch.nn.Module) -> Reinitialization:
        if self.target.reinit is not None:
            return by_function(self.target.reinit, given_function(self.target.reinit), model)
        called = reinitialization(model, self.target.device)
        if not called.steps:
            raise CannotReplay(NOTHING, GIVE)
        return called

    def _from_pretrained(self, seed: int, content: Content) -> Again | None:
        """Build as transformers loads a checkpoint without keys; None where that makes another model."""
        by = reinitialization(self.model, self.target.device)
        seed_everything(seed)
        with Filler(filling(content)):
            try:
                model = from_pretrained(self.model, {})
            except Exception:  # the model takes more than a configuration, or this version other arguments
                return None
        tensors = tensors_of(model)
        if tensors.keys() != self.timelines.tensors.keys():
            return None
        return Again(tensors, by, FROM_PRETRAINED)

    # Comparison

    def _lost(self) -> Iterator[NotRestored]:
        """The tensors that are left unwritten, that lose a tie, or that get other values."""
        seed = self.target.seed
        first = self.again(seed, Content.DOWN)
        self.said = first.said
        other = self.again(seed, Content.UP).tensors
        raw = {
            path: differing(tensor, other.get(path))
            for path, tensor in first.tensors.items()
            if path in self.timelines.tensors
        }
        del other
        raw = {path: mask for path, mask in raw.items() if how_many(mask)}
        if raw:
            once_more = self.again(seed, Content.DOWN).tensors
            unstable = [path for path in raw if how_many(differing(first.tensors[path], once_more.get(path)))]
            if unstable:
                self.reasons.append((f"initializing again gives {few(unstable)} other values each time", None))
            raw = {path: mask for path, mask in raw.items() if path not in unstable}
        yield from self._raw(first, raw)
        yield from self._changed(first, set(raw))

    def _judged(self) -> Iterator[str]:
        """The tensors whose values the constructor determines."""
        for path in self.timelines.tensors:
            if self.timelines.coverage(path) is Coverage.WRITTEN and self.timelines.trustworthy(path):
                yield path

    def _raw(self, first: Again, raw: dict[str, torch.Tensor]) -> Iterator[NotRestored]:
        kept = persistent_buffers(self.model) if first.said == FROM_PRETRAINED else set[str]()
        gone = []
        for path in self._judged():
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
        again = self.again(self.target.seed + 1, Content.DOWN).tensors
        for path in self._judged():
            if path in raw or path in tied or not all(path in tensors for tensors in (first.tensors, made, again)):
                continue
            other = told_apart(Twice(self.timelines.tensors[path], made[path]), Twice(first.tensors[path], again[path]))
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
            pretrained=first.said == FROM_PRETRAINED,
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
                built = Again(first, Reinitialization([]), "built with only its parameters on the meta device")
                yield self._fact(path, built, unwritten=unwritten, loader=True)

    def _with_real_buffers(self, content: Content) -> Tensors:
        seed_everything(self.target.seed)
        with parameters_on_meta(), Filler(filling(content)):
            return tensors_of(self.make())


def _joined(facts: list[NotRestored]) -> Iterator[NotRestored]:
    """One fact for all tensors of one declaration that fare alike."""
    alike: dict[tuple[object, ...], list[NotRestored]] = {}
    for fact in facts:
        kind = (fact.other is None, fact.tied is None, fact.loader)
        alike.setdefault((fact.model, fact.name, fact.place, *kind), []).append(fact)
    for first, *others in alike.values():
        paths = tuple(path for fact in (first, *others) for path in fact.paths)
        yield msgspec.structs.replace(first, paths=paths)


@crossing
def from_pretrained(model: torch.nn.Module, state: Tensors) -> torch.nn.Module:
    """Another model of the class, loaded from this state as transformers loads a checkpoint, without a file."""
    cls: Any = type(model)
    config: Any = model.config
    dtype: Any = model.dtype
    loaded: torch.nn.Module = cls.from_pretrained(
        None, config=config, state_dict=dict(state), torch_dtype=dtype, ignore_mismatched_sizes=True
    )
    return loaded


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
