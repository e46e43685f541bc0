"""Facts about the initial state of layers, from values and writes: copies, padding rows, gains, adapters."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec
import torch

from initaudit.adapters import FIRST, LAST, factor
from initaudit.finding import Observer, Place
from initaudit.probe.facts.timelines import Timelines, place_of
from initaudit.probe.record.declarations import class_of, is_torch
from initaudit.probe.record.lines import Call, Caused
from initaudit.probe.record.readable import has_memory
from initaudit.probe.record.recognised import RANDOM
from initaudit.schemes import Distribution
from initaudit.subjects.base import Fact
from initaudit.subjects.layers import CopiedLayers, EmbeddingWrite, GainDraw
from initaudit.subjects.weights import LowRankFactors
from initaudit.timeline import Coverage, SignalProfile

NOT_FOR_TRAINING = re.compile(r"target|ema(?![a-z])|teacher|momentum|shadow|frozen|reference|_old|old_|_k(?![a-z])")
"""Names of copies that follow what they are copied from."""
NORMALIZATIONS = (
    torch.nn.modules.batchnorm._BatchNorm,
    torch.nn.modules.instancenorm._InstanceNorm,
    torch.nn.LayerNorm,
    torch.nn.GroupNorm,
    torch.nn.RMSNorm,
)
IN_A_ROW = torch.nn.ModuleList | torch.nn.Sequential
Start = CopiedLayers | EmbeddingWrite | GainDraw | LowRankFactors


def starts(model: torch.nn.Module, timelines: Timelines) -> Iterator[Start]:
    """What is to be said of the parameters as the constructor leaves them."""
    reader = _Reader(model, timelines)
    yield from reader.copies()
    yield from reader.padding_rows()
    yield from reader.gains()
    yield from reader.adapters()


class Copied(msgspec.Struct, frozen=True):
    """Weights that are alike: who made them so, the class whose code that is and the attribute of it they are under."""

    place: Place
    model: str
    name: str
    layer: str | None
    beside: tuple[str, ...] = ()
    loaded: bool = False


class Drawn(msgspec.Struct, frozen=True):
    """A random draw of all elements of a parameter; ``by_layer``: a layer of torch drew, when it was made or reset."""

    place: Place
    call: str
    distribution: Distribution
    by_layer: bool


class _Reader:
    """One model and the lives of its tensors."""

    def __init__(self, model: torch.nn.Module, timelines: Timelines) -> None:
        self.model = model
        self.modules = dict(model.named_modules(remove_duplicate=False))
        self.timelines = timelines
        self.parameters = {
            name: tensor
            for name, tensor in timelines.tensors.items()
            if isinstance(tensor, torch.nn.Parameter)
            and tensor.requires_grad
            and has_memory(tensor)
            and timelines.coverage(name) in (Coverage.WRITTEN, Coverage.UNKNOWN)
        }
        self.random = {name: drawn for name in self.parameters if (drawn := self._drawn(name)) is not None}

    # Copies

    def copies(self) -> Iterator[CopiedLayers]:
        """Weights that were copied from one another and are still alike, by who copied them."""
        found: dict[Copied, list[list[str]]] = defaultdict(list)
        for alike in self._alike():
            copied = self._copied(alike)
            if copied is not None:
                found[copied].append(alike)
        for copied, groups in found.items():
            yield CopiedLayers(
                observer=Observer.PROBE,
                place=copied.place,
                model=copied.model,
                name=copied.name,
                source=f"nn.{copied.layer}" if copied.layer else "",
                by_torch=copied.layer is not None,
                beside=copied.beside,
                loaded=copied.loaded,
                paths=tuple(groups[0]),
                groups=len(groups),
            )

    def _alike(self) -> Iterator[list[str]]:
        """Names of separate weights that are alike bit for bit, and were drawn."""
        candidates: dict[object, list[str]] = defaultdict(list)
        for name in self.parameters:
            if name not in self.random and self._loaded(name) is None:
                continue
            values = self.timelines.values[name]
            if self.parameters[name].dim() > 1 and values is not None and values.std:
                candidates[values].append(name)
        for names in candidates.values():
            first = self.parameters[names[0]]
            same = [name for name in names if torch.equal(self.parameters[name], first)]
            separate = {self.parameters[name].data_ptr(): name for name in reversed(same)}
            if len(separate) > 1:
                yield sorted(separate.values(), key=same.index)

    def _copied(self, names: list[str]) -> Copied | None:
        """Who copied weights, the last one if several did, for layers that are to be trained side by side."""
        names = [name for name in names if not NOT_FOR_TRAINING.search(name)]
        records = [record for name in names if (record := self.timelines.record(name)) is not None]
        caused = next((record.copying for record in reversed(records) if record.copying is not None), None)
        loaded = caused is None
        if caused is None:
            caused = next((found for name in names if (found := self._loaded(name)) is not None), None)
        if len(names) < 2 or caused is None or caused.writer is None:
            return None
        parts = [name.split(".") for name in names]
        common = _common(parts)
        in_a_row = isinstance(self.modules[".".join(common)], IN_A_ROW)
        beside = () if in_a_row else tuple(dict.fromkeys(each[len(common)] for each in parts))
        for call in (caused.writer, caused.cause):
            owner = self._owner(common, call) if call is not None else None
            if call is not None and owner is not None:
                there = beside if owner[1] is None else ()
                return Copied(call.place, owner[0], owner[1] or beside[-1], caused.layer, there, loaded)
        if caused.layer is None and (in_a_row or loaded):  # a script or a factory put them there
            holder = type(self.modules[".".join(common[:-1] if in_a_row else common)])
            name = (common or ["model"])[-1] if in_a_row else beside[-1]
            model = f"{holder.__module__}.{holder.__qualname__}"
            return Copied(caused.writer.place, model, name, None, beside, loaded)
        return None

    def _loaded(self, name: str) -> Caused | None:
        """Who wrote the draw of another tensor into a parameter, when that is all that is in it."""
        record = self.timelines.record(name)
        whole, parts = record.layers() if record is not None else (None, ())
        drawn = whole is not None and whole.distribution is not None and whole.distribution.family in RANDOM
        return whole.caused if whole is not None and drawn and whole.copied and not parts else None

    def _owner(self, path: Sequence[str], call: Call) -> tuple[str, str | None] | None:
        """The class above a path whose code makes a call, and its attribute that leads on, if one alone does."""
        for length in reversed(range(len(path) + 1)):
            cls = class_of(type(self.modules[".".join(path[:length])]), call.code)
            if cls is not None and not is_torch(cls):
                return f"{cls.__module__}.{cls.__qualname__}", path[length] if length < len(path) else None
        return None

    # Embeddings and normalizations

    def padding_rows(self) -> Iterator[EmbeddingWrite]:
        """Draws that the padding row of an embedding still holds."""
        found: dict[Drawn, list[str]] = defaultdict(list)
        for path, module in self.model.named_modules():
            drawn = self.random.get(name := f"{path}.weight".removeprefix("."))
            if not isinstance(module, torch.nn.Embedding) or drawn is None or drawn.by_layer:
                continue
            if module.padding_idx is not None and bool(module.weight.detach()[module.padding_idx].any()):
                found[drawn].append(name)
        for drawn, names in found.items():
            yield EmbeddingWrite(observer=Observer.PROBE, place=drawn.place, source=drawn.call, paths=tuple(names))

    def gains(self) -> Iterator[GainDraw]:
        """Draws of what a normalization starts at one."""
        found: dict[tuple[Drawn, str, str], list[str]] = defaultdict(list)
        for path, module in self.model.named_modules():
            cls = type(module)
            for own, tensor in module.named_parameters(recurse=False):
                name = f"{path}.{own}".removeprefix(".")
                drawn = self.random.get(name)
                if drawn is not None and tensor.dim() == 1 and self._is_gain(module, own, name):
                    layer = f"torch.nn.{cls.__name__}" if is_torch(cls) else f"{cls.__module__}.{cls.__qualname__}"
                    found[drawn, layer, own].append(name)
        for (drawn, layer, own), names in found.items():
            yield GainDraw(
                observer=Observer.PROBE,
                place=drawn.place,
                layer=layer,
                parameter=own,
                call=drawn.call,
                mean=drawn.distribution.mean,
                paths=tuple(names),
            )

    def _is_gain(self, module: torch.nn.Module, own: str, name: str) -> bool:
        """Whether a parameter is the gain of a normalization: it was all ones before it was drawn."""
        if isinstance(module, NORMALIZATIONS):
            return own == "weight"
        record = self.timelines.record(name)
        if record is None or "Norm" not in type(module).__name__:
            return False
        first = record.distribution or (record.writes[0].distribution if record.writes else None)
        return first is not None and (first.family, first.mean) == ("constant", 1.0)

    # Adapters

    def adapters(self) -> Iterator[LowRankFactors]:
        """The low-rank adapters of which something is known of every factor."""
        found: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
        for name, _ in self.model.named_parameters():
            if name not in self.parameters:
                continue
            parts = name.split(".")
            for index in reversed(range(len(parts))):
                owner = type(self.modules[".".join(parts[:index])]).__name__
                known = factor(parts[index], owner)
                if known is not None:
                    found[".".join(parts[:index]), known[0]].append((known[1], name))
                    break
        for (path, _), factors in found.items():
            start = self._adapter(path, factors)
            if start is not None:
                yield start

    def _adapter(self, path: str, factors: Sequence[tuple[str, str]]) -> LowRankFactors | None:
        zero = [name for _, name in factors if not bool(self.parameters[name].detach().any())]
        closing = next((name for role in LAST for each, name in factors if each == role), None)
        if closing is None or not {role for role, _ in factors}.intersection(FIRST):
            return None
        if any(name not in self.random for _, name in factors if name not in zero):
            return None
        drawn, declared = self.random.get(closing), self.timelines.declared[closing]
        own = self._own_name
        return LowRankFactors(
            observer=Observer.PROBE,
            place=drawn.place if drawn is not None else self.timelines.written_at(closing),
            model=declared.model,
            name=own(closing, path),
            random=tuple(own(name, path) for _, name in factors if name not in zero),
            zero=tuple(own(name, path) for name in zero),
            paths=tuple(name for _, name in factors),
        )

    @staticmethod
    def _own_name(name: str, path: str) -> str:
        """The attribute of the adapter that a parameter is under."""
        return name.removeprefix(path).removeprefix(".").partition(".")[0]

    def _drawn(self, name: str) -> Drawn | None:
        """The draw that a parameter's values come from, when that is one and known."""
        record = self.timelines.record(name)
        whole, parts = record.layers() if record is not None else (None, ())
        if record is None or parts:
            return None
        distribution = whole.distribution if whole is not None else record.distribution
        if distribution is None or distribution.family not in RANDOM or (whole is not None and whole.copied):
            return None
        caused = whole.caused if whole is not None else record.caused
        place = place_of(caused.writer) or self.timelines.definition
        return Drawn(place, whole.by if whole is not None else record.call, distribution, caused.layer is not None)


def trained(found: Iterable[Fact], signal: SignalProfile | None) -> Iterator[Fact]:
    """What starts alike since values were written into it, if gradients reach two of it; the rest unchanged.

    Others follow what they were written from. What has an input of its own may be meant to start alike.
    """
    layers = {layer.source: layer for layer in reversed(signal.layers)} if signal is not None else {}
    for one in found:
        if not isinstance(one, CopiedLayers) or not one.loaded:
            yield one
            continue
        met = [layer for path in one.paths if (layer := layers.get(path)) is not None and any(layer.gradient)]
        if len(met) > 1:
            yield msgspec.structs.replace(one, apart=bool(one.beside) and len({layer.given for layer in met}) > 1)


def _common(paths: Sequence[Sequence[str]]) -> list[str]:
    """What paths begin with alike."""
    common = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return common
