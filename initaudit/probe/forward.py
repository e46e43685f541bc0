"""What a forward of the control build shows: chains of weights, and buffers that are read before they are written."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator

import msgspec
import torch

from initaudit.activations import CATALOGUE
from initaudit.finding import Observer
from initaudit.probe.follow import Follow, Step, Steps, key_of
from initaudit.probe.inputs import inputs_for
from initaudit.probe.poison import seed_everything
from initaudit.probe.recognised import schemes_of
from initaudit.probe.request import Target
from initaudit.probe.target import describe
from initaudit.probe.timelines import Timelines, place_of
from initaudit.timeline import Chain, Coverage, Kind, Link

NO_INPUT = "no input is known; give one with --input-size"


class Forward(msgspec.Struct, frozen=True):
    """``read`` is None, and ``skipped`` says why, when there was no forward."""

    chains: tuple[Chain, ...] = ()
    read: frozenset[str] | None = None
    skipped: str | None = None


def run_forward(model: torch.nn.Module, timelines: Timelines, target: Target) -> Forward:
    """Run the model once, in evaluation mode, and follow its signals."""
    if getattr(model.forward, "__name__", "") == "_forward_unimplemented":
        return Forward(skipped="it has no forward")
    try:
        given = inputs_for(model, target)
        if given is None:
            return Forward(skipped=NO_INPUT)
        follow = Follow(_weights(model, timelines), _raw_buffers(timelines))
        with _evaluating(model), torch.no_grad(), follow:
            seed_everything(target.seed)
            model(*given[0], **given[1])
    except Exception as error:  # whatever the user's forward raises
        return Forward(skipped=f"the forward raised {describe(error)}")
    follow.finish()
    return Forward(chains=tuple(_chains(follow.chains, timelines)), read=frozenset(follow.read))


@contextlib.contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    """In evaluation mode, layer by layer: the fused attention of torch would hide what follows what."""
    training, fast = model.training, torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    model.eval()
    try:
        yield
    finally:
        model.train(training)
        torch.backends.mha.set_fastpath_enabled(fast)


def _weights(model: torch.nn.Module, timelines: Timelines) -> dict[int, str]:
    """Parameters that multiply, by storage: two dimensions or more, and not a table that is only looked up."""
    tables = torch.nn.Embedding | torch.nn.EmbeddingBag
    looked_up = {id(module.weight) for module in model.modules() if isinstance(module, tables)}
    multiplied = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Linear)}
    found: dict[int, str] = {}
    for name, tensor in timelines.tensors.items():
        key = key_of(tensor)
        if key is None or tensor.dim() < 2 or not isinstance(tensor, torch.nn.Parameter):
            continue
        if id(tensor) not in looked_up - multiplied:
            found.setdefault(key, name)
    return found


def _raw_buffers(timelines: Timelines) -> dict[int, str]:
    return {
        key: name
        for name, tensor in timelines.tensors.items()
        if timelines.declared[name].kind is Kind.BUFFER
        and timelines.coverage(name) in (Coverage.NEVER, Coverage.PARTIAL)
        and (key := key_of(tensor)) is not None
    }


def _chains(found: list[tuple[Steps, bool]], timelines: Timelines) -> Iterator[Chain]:
    """Chains that are not the beginning of a longer one."""
    seen: set[tuple[str, ...]] = set()
    kept = [(_initialized(steps, timelines), normalized) for steps, normalized in found]
    for steps, normalized in sorted(kept, key=_length, reverse=True):
        paths = tuple(step.path for step in steps)
        if not steps or any(paths == other[: len(paths)] for other in seen):
            continue
        seen.add(paths)
        yield Chain(
            observer=Observer.PROBE,
            model=timelines.declared[paths[0]].model,
            links=tuple(_link(step, timelines) for step in steps),
            normalized=normalized,
            lost_decades=_lost(steps),
        )


def _length(chain: tuple[Steps, bool]) -> tuple[int, bool]:
    steps, _ = chain
    return len(steps), bool(steps) and steps[-1].activation is not None


def _initialized(steps: Steps, timelines: Timelines) -> Steps:
    """The chain up to the first weight that nobody initialized: its scale says nothing."""
    return tuple(
        itertools.takewhile(lambda step: timelines.coverage(step.path) is Coverage.WRITTEN, steps),
    )


def _lost(steps: Steps) -> float | None:
    first, last = steps[0].rms, steps[-1].rms
    if len(steps) < 2 or not all(math.isfinite(rms) and rms > 0 for rms in (first, last)):
        return None
    return math.log10(first / last)


def _link(step: Step, timelines: Timelines) -> Link:
    tensor, declared = timelines.tensors[step.path], timelines.declared[step.path]
    found, write = schemes_of(timelines.record(step.path), tuple(tensor.shape))
    return Link(
        place=place_of(write.caused.writer) if write is not None else None,
        model=declared.model,
        parameter=declared.name,
        schemes=tuple(dict.fromkeys(recognition.scheme for recognition in found)),
        gain=found[0].gain if found else None,
        activation=step.activation if step.activation in CATALOGUE else None,
        fan_in=step.fan_in,
        fan_out=step.fan_out,
        variance=float(tensor.detach().double().var(correction=0)),
    )
