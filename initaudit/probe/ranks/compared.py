"""Compare one model across ranks: each rank sends a description of its tensors, and all do the same comparison.

Ranks exchange statistics and digests, never tensors.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import torch
import torch.distributed as dist

from initaudit.observation import Observation, Undecided
from initaudit.probe.facts.seeds import looks_random
from initaudit.probe.facts.timelines import Timelines
from initaudit.probe.ranks.exchange import PIECE, UnansweredError, exchange
from initaudit.probe.record.poison import how_many, tensors_of
from initaudit.probe.record.readable import bare, has_memory, is_distributed, local_of
from initaudit.probe.record.values import summarize
from initaudit.probe.words import few
from initaudit.subjects import AnyFact
from initaudit.subjects.ranks import Copies, ReplicasDiffer, ShardsAlike, ShardsLeft
from initaudit.timeline import Kind, ParameterTimeline, Values

TIMEOUT = 60.0
"""Seconds that a rank waits for the others."""
SEVERAL = 16
"""Number of elements from which different values count as random, rather than as a few constants."""
LARGE = 256
"""Number of elements from which a constant shard is not explained by a block layout."""


class RankTensor(msgspec.Struct, frozen=True, kw_only=True):
    """One rank's part of one tensor.

    ``copies`` are the ranks that should have the same elements, for the reason ``why``; ``parts`` are the ranks that
    have the other elements of a sharded tensor. Both contain this rank, or are empty. ``values`` are statistics of the
    local elements.
    """

    digest: str
    random: bool
    values: Values | None
    copies: tuple[int, ...] = ()
    why: Copies = Copies.PLAIN
    parts: tuple[int, ...] = ()

    @property
    def constant(self) -> bool:
        """Whether all local elements are the same number."""
        return self.values is not None and self.values.min is not None and self.values.min == self.values.max

    @property
    def drawn(self) -> bool:
        """Whether the local elements differ, and are too many to be a few constants."""
        return self.values is not None and bool(self.values.std) and math.prod(self.values.shape) >= SEVERAL


Parts = dict[str, RankTensor]
"""One rank's part of each tensor, by path."""


class Said(msgspec.Struct, frozen=True):
    """The message of one rank."""

    seen: Observation
    held: Parts


def is_flat(model: torch.nn.Module) -> bool:
    """Return whether FSDP version 1 manages parameters of a model, as pieces of flat parameters."""
    fsdp = sys.modules.get("torch.distributed.fsdp")
    return fsdp is not None and any(isinstance(one, fsdp.FullyShardedDataParallel) for one in model.modules())


def is_spread(model: torch.nn.Module) -> bool:
    """Return whether a forward of a model, or of a copy, needs other ranks."""
    replicated = any(isinstance(one, torch.nn.parallel.DistributedDataParallel) for one in model.modules())
    return replicated or is_flat(model) or any(map(is_distributed, tensors_of(model).values()))


def values_of(tensor: torch.Tensor) -> Values | None:
    """Return the statistics of a tensor; of a ``DTensor`` only if this process has all of it."""
    local = local_of(tensor)
    return summarize(local) if local.shape == tensor.shape and not _is_partial(tensor) else None


def _is_partial(tensor: torch.Tensor) -> bool:
    return is_distributed(tensor) and any(placement.is_partial() for placement in tensor.placements)


def several() -> bool:
    """Return whether this process is one of several ranks that can exchange messages."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1 and dist.get_backend() != "fake"


def rank() -> int:
    """Return the rank of this process."""
    return dist.get_rank()


def together(seen: Observation, model: torch.nn.Module) -> Observation:
    """Return the joint observation of an instance that every rank audits; it is the same on every rank."""
    try:
        ranks = _said(seen, held_here(model, seen.parameters), TIMEOUT)
    except UnansweredError as error:
        return msgspec.structs.replace(seen, error=str(error))
    parameters, comparison = _compared(ranks)
    facts = (*ranks[0].seen.facts, *comparison.differing(), *comparison.alike(), *comparison.constant())
    return _joint(ranks, parameters, facts)


def built_together(
    seen: Observation, held: Parts, seeded_apart: Callable[[], Parts], timeout: float = TIMEOUT
) -> Observation:
    """Return the joint observation of a model that every rank builds, from one seed.

    ``seeded_apart`` builds it with another seed on each rank. Shards that are still alike are alike whatever the caller
    of the target does; otherwise the seeds of the caller decide, which are not known.
    """
    try:
        ranks = _said(seen, held, timeout)
        parameters, comparison = _compared(ranks)
        alike, certain = list(comparison.alike()), set[str]()
        if alike:
            again = _said(msgspec.structs.replace(seen, facts=(), undecided=()), seeded_apart(), timeout)
            certain = {path for fact in _compared(again)[1].alike() for path in fact.paths}
    except UnansweredError as error:
        return msgspec.structs.replace(seen, error=str(error))
    facts = dict.fromkeys(fact for rank in ranks for fact in rank.seen.facts)
    unwritten = _of_all_ranks([fact for fact in facts if isinstance(fact, ShardsLeft)])
    joint = (
        *(fact for fact in facts if not isinstance(fact, ShardsLeft)),
        *unwritten,
        *comparison.differing(),
        *comparison.alike(certain),
        *(() if unwritten else comparison.constant()),
    )
    return _joint(ranks, parameters, joint, _left_to_seeds(seen.source, alike, certain))


def _said(seen: Observation, held: Parts, timeout: float) -> list[Said]:
    """Return what every rank says, by rank."""
    answers = exchange(msgspec.msgpack.encode(Said(seen, held)), timeout)
    return [msgspec.msgpack.decode(answer, type=Said) for answer in answers]


def _compared(ranks: Sequence[Said]) -> tuple[tuple[ParameterTimeline, ...], Comparison]:
    parameters = tuple(_parameters(ranks))
    return parameters, Comparison([rank.held for rank in ranks], parameters)


def _joint(
    ranks: Sequence[Said],
    parameters: tuple[ParameterTimeline, ...],
    facts: Iterable[AnyFact],
    undecided: Iterable[Undecided] = (),
) -> Observation:
    """Return the observation of the first rank with what all ranks know."""
    doubts = dict.fromkeys(one for rank in ranks for one in rank.seen.undecided)
    judged = {timeline.path for timeline in parameters if timeline.values is not None}
    return msgspec.structs.replace(
        ranks[0].seen,
        rank=dist.get_rank(),
        parameters=parameters,
        facts=tuple(facts),
        undecided=(*(one for one in doubts if not _settled(one, judged)), *undecided),
        error="; ".join(dict.fromkeys(rank.seen.error for rank in ranks if rank.seen.error is not None)) or None,
    )


def _of_all_ranks(facts: Iterable[ShardsLeft]) -> list[ShardsLeft]:
    """Return facts of single ranks, those that differ only in the rank as one."""
    ranks: dict[ShardsLeft, list[int]] = {}
    for fact in facts:
        ranks.setdefault(msgspec.structs.replace(fact, ranks=()), []).extend(fact.ranks)
    return [msgspec.structs.replace(fact, ranks=tuple(numbers)) for fact, numbers in ranks.items()]


def _left_to_seeds(target: str, alike: Iterable[ShardsAlike], certain: Collection[str]) -> Iterator[Undecided]:
    """Yield the shards that are alike only if all ranks have one seed."""
    for fact in alike:
        paths = [path for path in fact.paths if path not in certain]
        if paths:
            one, two = fact.ranks
            yield Undecided(
                place=fact.place,
                subject=f"{target}: {few(paths)}",
                reason=f"ranks {one} and {two} draw the same values for their shards if they have the same seed; "
                "the target does not set it",
                unseen=(ShardsAlike.__name__,),
            )


def unwritten_shards(timelines: Timelines) -> Iterator[ShardsLeft]:
    """Yield one fact about the sharded parameters whose local parts depend on uninitialized memory."""
    depends = timelines.verdict.depends
    names = [
        name
        for name, tensor in timelines.tensors.items()
        if is_distributed(tensor)
        and timelines.declared[name].kind is Kind.PARAMETER
        and name in depends
        and how_many(depends[name])
        and timelines.trustworthy(name)
    ]
    if names:
        declared = [timelines.declared[name] for name in names]
        yield ShardsLeft(
            place=timelines.written_at(names[0]),
            model=declared[0].model,
            parameter=declared[0].name,
            affects=tuple(dict.fromkeys(one.name for one in declared)),
            paths=tuple(names),
            ranks=(dist.get_rank() if several() else 0,),
            elsewhere=(),
            unwritten=True,
        )


def _settled(doubt: Undecided, judged: set[str | None]) -> bool:
    """Whether the ranks together have the statistics that one of them lacked."""
    return doubt.unseen == (ParameterTimeline.__name__,) and doubt.subject.rpartition(": ")[2] in judged


def held_here(model: torch.nn.Module, parameters: Iterable[ParameterTimeline]) -> Parts:
    """Return this rank's part of each tensor that has memory."""
    tensors = tensors_of(model)
    copies = _copies(model, tensors)
    values = {timeline.path: timeline.values for timeline in parameters}
    held = {}
    for path, tensor in tensors.items():
        local = local_of(tensor)
        if not has_memory(local) or local.numel() == 0 or _is_partial(tensor):
            continue
        same, parts = _placed(tensor)
        ranks, why = (same, Copies.REPLICATED) if is_distributed(tensor) else copies.get(path, ((), Copies.PLAIN))
        held[path] = RankTensor(
            digest=_digest(local),
            random=looks_random(bare(local)),
            values=values.get(path) or summarize(local),
            copies=ranks,
            why=why,
            parts=parts,
        )
    return held


def _digest(tensor: torch.Tensor) -> str:
    """Return a digest of the elements, bit for bit, and of their type and shape."""
    elements = bare(tensor).cpu().contiguous().reshape(-1)
    digest = hashlib.blake2b(f"{tensor.dtype} {tuple(tensor.shape)}".encode(), digest_size=16)
    for piece in elements.view(torch.uint8).split(PIECE):
        digest.update(piece.numpy().tobytes())
    return digest.hexdigest()


def _placed(tensor: torch.Tensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the ranks that have the same elements of a ``DTensor``, and the ranks that have its other parts."""
    coordinate = tensor.device_mesh.get_coordinate() if is_distributed(tensor) else None
    if coordinate is None:
        return (), ()
    sharded = [not placement.is_replicate() for placement in tensor.placements]
    ranks = tensor.device_mesh.mesh
    same = ranks[tuple(at if split else slice(None) for at, split in zip(coordinate, sharded, strict=True))]
    parts = ranks[tuple(slice(None) if split else at for at, split in zip(coordinate, sharded, strict=True))]
    return tuple(same.reshape(-1).tolist()), tuple(parts.reshape(-1).tolist()) if any(sharded) else ()


Expected = dict[str, tuple[tuple[int, ...], Copies]]


def _copies(model: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> Expected:
    """Return which ranks should hold the same values of a plain tensor.

    Plain tensors that are shards (of FSDP version 1, of tensor or expert parallelism) are not comparable.
    """
    if is_flat(model):
        return {}
    meshes = [tensor.device_mesh.mesh for tensor in tensors.values() if is_distributed(tensor)]
    ranks = sorted({rank for mesh in meshes for rank in mesh.reshape(-1).tolist()})
    found: Expected = {}
    buffers = dict(_comparable_buffers(model))
    for path, tensor in tensors.items():
        is_buffer = not isinstance(tensor, torch.nn.Parameter)
        marked = getattr(tensor, "tensor_model_parallel", False) or not getattr(tensor, "allreduce", True)
        if is_distributed(tensor) or marked or (is_buffer and path not in buffers) or not tensor.is_floating_point():
            continue
        if meshes:
            found[path] = (tuple(ranks), Copies.BESIDE)
        elif not is_buffer:
            found[path] = (tuple(range(dist.get_world_size())), Copies.PLAIN)
    for prefix, module in model.named_modules():
        if isinstance(module, torch.nn.parallel.DistributedDataParallel):
            _wrapped(prefix, module, buffers, found)
    return found


def _wrapped(prefix: str, wrapper: Any, buffers: Mapping[str, torch.Tensor], found: Expected) -> None:
    """Add the tensors that ``DistributedDataParallel`` synchronizes, and remove those that it ignores."""
    below = f"{prefix}.module." if prefix else "module."
    ranks = tuple(dist.get_process_group_ranks(wrapper.process_group))
    for name, _ in (*wrapper.module.named_parameters(), *wrapper.module.named_buffers()):
        found.pop(below + name, None)
    kept = dict(wrapper.module.named_parameters(remove_duplicate=False))
    if not wrapper.broadcast_buffers:
        kept |= {name: one for name, one in wrapper.module.named_buffers() if below + name in buffers}
    for name, tensor in kept.items():
        if name not in wrapper.parameters_to_ignore and not is_distributed(tensor):
            found[below + name] = (ranks, Copies.WRAPPED)


def _comparable_buffers(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the paths of random buffers, without the running statistics of torch's normalization layers."""
    for prefix, module in model.named_modules():
        if isinstance(module, torch.nn.modules.batchnorm._NormBase):
            continue
        for name, buffer in module.named_buffers(recurse=False):
            if not is_distributed(buffer) and has_memory(buffer) and looks_random(bare(buffer)):
                yield f"{prefix}.{name}" if prefix else name, buffer


def _parameters(ranks: Sequence[Said]) -> Iterator[ParameterTimeline]:
    """Yield each tensor once, and again for ranks with other values; a shard with statistics of the whole."""
    reported: set[tuple[str | None, str]] = set()
    for number, rank in enumerate(ranks):
        for timeline in rank.seen.parameters:
            path = timeline.path or ""
            held = rank.held.get(path)
            if held is None or not held.parts:
                key = (path, held.digest if held is not None else "")
                unknown = held is None and any(path == other for other, _ in reported)
            else:
                whole = _whole([ranks[part].held.get(path) for part in held.parts], timeline)
                timeline = msgspec.structs.replace(timeline, values=whole)
                key, unknown = (path, f"{held.parts}"), number != min(held.parts)
            if key not in reported and not unknown:
                reported.add(key)
                yield timeline


def _whole(parts: Sequence[RankTensor | None], timeline: ParameterTimeline) -> Values | None:
    """Return the statistics of a sharded tensor from those of its parts; None if some are unknown."""
    shape = timeline.allocation.shape if timeline.allocation is not None else None
    each = [part.values for part in parts if part is not None and part.values is not None]
    if shape is None or sum(math.prod(one.shape) for one in each) != math.prod(size or 0 for size in shape):
        return None
    known = [one for one in each if one.mean is not None and one.std is not None]
    counts = [math.prod(one.shape) - one.nan - one.inf for one in known]
    total = sum(counts)
    mean = std = None
    if total:
        mean = sum(count * (one.mean or 0.0) for count, one in zip(counts, known, strict=True)) / total
        squares = (
            count * ((one.std or 0.0) ** 2 + ((one.mean or 0.0) - mean) ** 2)
            for count, one in zip(counts, known, strict=True)
        )
        std = math.sqrt(sum(squares) / total)
    return Values(
        dtype=each[0].dtype,
        shape=tuple(size or 0 for size in shape),
        mean=mean,
        std=std,
        min=min((one.min for one in known if one.min is not None), default=None),
        max=max((one.max for one in known if one.max is not None), default=None),
        nan=sum(one.nan for one in each),
        inf=sum(one.inf for one in each),
    )


class Comparison:
    """The tensors of all ranks, by rank and path, and the facts that follow."""

    def __init__(self, held: Sequence[Mapping[str, RankTensor]], parameters: Iterable[ParameterTimeline]) -> None:
        self.held = held
        self.timelines = {timeline.path: timeline for timeline in reversed(list(parameters))}
        self.paths = [path for path in dict.fromkeys(path for one in held for path in one) if path in self.timelines]
        shapes = [{path: one.values and one.values.shape for path, one in each.items()} for each in held]
        self.one_model = all(each == shapes[0] for each in shapes)

    def differing(self) -> Iterator[ReplicasDiffer]:
        """Yield one fact for each pair of ranks that differ, and each reason why they should not."""
        found: dict[tuple[Copies, tuple[int, int]], list[str]] = {}
        certain: set[tuple[Copies, tuple[int, int]]] = set()
        for path in self.paths:
            for rank, held in enumerate(self.held):
                one = held.get(path)
                if one is None or (one.why is Copies.PLAIN and not self.one_model):
                    continue
                pair = next(((rank, other) for other in one.copies if self._differs(path, rank, other)), None)
                if pair is not None and pair[0] < pair[1]:
                    found.setdefault((one.why, pair), []).append(path)
                    certain |= {(one.why, pair)} if one.drawn or one.why is not Copies.PLAIN else set()
                    break
        for (why, pair), paths in found.items():
            if (why, pair) in certain:  # a few numbers that differ are a setting of each rank, unless others are drawn
                yield ReplicasDiffer(**self._about(paths), ranks=pair, why=why)

    def _differs(self, path: str, rank: int, other: int) -> bool:
        one, two = self.held[rank].get(path), self.held[other].get(path)
        return one is not None and two is not None and one.digest != two.digest

    def alike(self, among: Collection[str] | None = None) -> Iterator[ShardsAlike]:
        """Yield one fact for each pair of ranks whose parts of a parameter are the same random values.

        ``among`` are the paths to compare, all by default.
        """
        found: dict[tuple[int, int], list[str]] = {}
        for path in self.paths:
            for rank, held in enumerate(self.held):
                one = held.get(path)
                if one is None or not one.random or self.timelines[path].kind is not Kind.PARAMETER:
                    continue
                if among is not None and path not in among:
                    continue
                others = (other for other in one.parts if other > rank and path in self.held[other])
                pair = next(((rank, other) for other in others if not self._differs(path, rank, other)), None)
                if pair is not None:
                    found.setdefault(pair, []).append(path)
                    break
        for pair, paths in found.items():
            yield ShardsAlike(**self._about(paths), ranks=pair)

    def constant(self) -> Iterator[ShardsLeft]:
        """Yield tensors that are constant on one rank and random on others, and constant sharded matrices."""
        left: dict[tuple[tuple[str, ...], tuple[int, ...]], list[int]] = {}
        for rank, held in enumerate(self.held):
            split = {path: one for path, one in held.items() if one.parts}
            drawn = {path: self._drawn_by(path, one.parts) for path, one in split.items()}
            shared = [path for path, by in drawn.items() if set(by) - {rank} and path in self.timelines]
            blank = [path for path in shared if split[path].constant]
            large = any(math.prod(values.shape) >= LARGE for path in blank if (values := split[path].values))
            if blank and blank == shared and (len(blank) > 1 or large):
                left.setdefault((tuple(blank), drawn[blank[0]]), []).append(rank)
        for (paths, elsewhere), ranks in left.items():
            yield ShardsLeft(**self._about(paths), ranks=tuple(ranks), elsewhere=elsewhere)
        yield from self._all_constant()

    def _drawn_by(self, path: str, parts: Iterable[int]) -> tuple[int, ...]:
        return tuple(part for part in parts if path in self.held[part] and self.held[part][path].drawn)

    def _all_constant(self) -> Iterator[ShardsLeft]:
        every = [one for held in self.held for path, one in held.items() if self._is_matrix(path)]
        sharded = [
            path for path in self.paths if self._is_matrix(path) and any(path in h and h[path].parts for h in self.held)
        ]
        if len(sharded) > 1 and all(one.constant for one in every):
            yield ShardsLeft(**self._about(sharded), ranks=tuple(range(len(self.held))), elsewhere=())

    def _is_matrix(self, path: str) -> bool:
        timeline = self.timelines.get(path)
        shape = timeline.allocation.shape if timeline is not None and timeline.allocation is not None else None
        return timeline is not None and timeline.kind is Kind.PARAMETER and shape is not None and len(shape) > 1

    def _about(self, paths: Sequence[str]) -> dict[str, Any]:
        first = self.timelines[paths[0]]
        assert first.allocation is not None
        return {
            "place": first.allocation.place,
            "model": first.model,
            "parameter": first.name,
            "affects": tuple(dict.fromkeys(self.timelines[path].name for path in paths)),
            "paths": tuple(paths),
        }
