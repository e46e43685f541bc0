"""Run a forward of the control build: it shows chains of weights, and buffers that are read before they are written."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import msgspec
import torch

from initaudit.activations import CATALOGUE
from initaudit.finding import Observer
from initaudit.probe.announce import announce
from initaudit.probe.blame import is_ours
from initaudit.probe.facts.timelines import Timelines, place_of
from initaudit.probe.forward.inputs import inputs_for, missing_input
from initaudit.probe.forward.neutral import Neutral
from initaudit.probe.forward.profile import profile
from initaudit.probe.forward.roles import usages_of
from initaudit.probe.record.arguments import arguments_noted
from initaudit.probe.record.poison import Make, seed_everything
from initaudit.probe.record.readable import is_imagined
from initaudit.probe.record.recognised import schemes_of
from initaudit.probe.record.storages import key_of
from initaudit.probe.request import Stage, Target, TargetError
from initaudit.probe.signal.follow import Tracked
from initaudit.probe.signal.propagate import Given, Pass, propagate
from initaudit.probe.signal.uses import Step, Steps
from initaudit.probe.words import describe
from initaudit.timeline import Chain, Coverage, Kind, Link, SignalProfile, Usage

NO_INPUT = "its inputs are unknown"
GIVE = "give inputs with --input-size N,... for each, or with --input-data MODULE:FUNCTION"


class Forward(msgspec.Struct, frozen=True):
    """What a forward shows.

    ``read`` is None, and ``skipped`` says why, when there was no forward; ``unmeasured`` why there is no profile.
    ``usages`` are those of tensors that nothing wrote, and ``influenced`` and ``allocates`` are those of ``Pass``.
    ``make`` builds the model with the values that such tensors were given.
    ``refused`` says what was raised on the inputs. ``failure`` is one of this tool's own, no fault of the model.
    ``remedy`` is what the user can do about what was not seen, and ``left_out`` says which seeds raised what.
    """

    chains: tuple[Chain, ...] = ()
    read: frozenset[str] | None = None
    signal: SignalProfile | None = None
    skipped: str | None = None
    unmeasured: str | None = None
    usages: dict[str, Usage] = {}
    influenced: dict[str, str] = {}
    allocates: bool = False
    make: Make | None = None
    refused: str | None = None
    failure: Exception | None = None
    remedy: str | None = None
    left_out: tuple[str, ...] = ()


def run_forward(model: torch.nn.Module, timelines: Timelines, target: Target, make: Make) -> Forward:
    """Run the model forward and backward, follow its signals, and measure them; more models for more seeds."""
    if getattr(model.forward, "__name__", "") == "_forward_unimplemented":
        return Forward(skipped="it has no forward")
    if any(is_imagined(tensor) for tensor in timelines.tensors.values()):
        return Forward(skipped="parts of it are on the meta device and have no values")
    unwritten = Neutral(timelines)
    unwritten.fill(model)
    try:
        given = inputs_for(model, target)
        if given is None:
            return Forward(skipped=NO_INPUT, remedy=GIVE)
        missing = missing_input(model, given)
        if missing is not None:
            raise TargetError(missing)
        if unwritten.raw:
            unwritten.settle(usages_of(model, given, unwritten, target.seed), model)
        make = unwritten.filled(make)
        tracked = _tracked(model, timelines, unwritten)
        first, unmeasured = _first_pass(model, given, tracked, target)
        trained = _only_in_training(model, given, tracked, first, target)
    except TargetError as error:
        return Forward(skipped=str(error), refused=str(error))
    except Exception as error:  # whatever the user's forward raises
        if is_ours(error):
            return Forward(skipped="initaudit itself failed", failure=error)
        refused = f"the forward raised {describe(error)}{_given_as_sizes(model, target)}"
        return Forward(skipped=refused, refused=refused)
    found = list(_chains((*first.chains, *trained), timelines))
    members = {
        path: index
        for index, (paths, chain) in reversed(list(enumerate(found)))
        if not chain.normalized
        for path in paths
    }
    signal, left_out = None, tuple[str, ...]()
    if unmeasured is None:
        passes, seeds, left_out = _more_passes(first, given, tracked, target, make)
        signal = profile(passes, seeds, members, given, timelines, model)
    chains = tuple(chain for _, chain in found)
    return Forward(
        chains=chains,
        read=first.read,
        signal=signal,
        unmeasured=unmeasured,
        usages=_usages(unwritten, first),
        influenced=first.influenced,
        allocates=first.allocates,
        make=make,
        remedy=None if unmeasured is None else "other inputs, such as a larger batch, may run: --input-size",
        left_out=left_out,
    )


def _given_as_sizes(model: torch.nn.Module, target: Target) -> str:
    """What inputs that were given by their size are, and what else the flags can give."""
    if target.inputs is not None or target.input_data is not None or not target.input_sizes:
        return ""
    indices = not target.dtypes and any(isinstance(one, torch.nn.Embedding) for one in model.modules())
    whole = "; `--dtype int64` gives indices, as an embedding takes" if indices else ""
    sizes = " and ".join(map(str, target.input_sizes))
    return f", on inputs of size {sizes}, the first number of which is the batch{whole}"


def _usages(unwritten: Neutral, first: Pass) -> dict[str, Usage]:
    """How the tensors that nothing wrote are used, with the activation that follows the weights among them."""
    after = {use.path: use.activation for use in reversed(first.uses)}
    return {
        path: msgspec.structs.replace(usage, activation=after.get(path)) for path, usage in unwritten.usages.items()
    }


def _first_pass(model: torch.nn.Module, given: Given, tracked: Tracked, target: Target) -> tuple[Pass, str | None]:
    """A pass as it is trained; where that raises, one in evaluation mode, whose measures say little, and why."""
    try:
        return propagate(model, given, tracked, target.seed, dropping=target.training), None
    except Exception as error:  # whatever the user's forward raises
        if is_ours(error):
            raise
        reason = f"in training mode the forward raised {describe(error)}"
        return propagate(model, given, tracked, target.seed, training=False), reason


def _only_in_training(
    model: torch.nn.Module, given: Given, tracked: Tracked, first: Pass, target: Target
) -> list[tuple[Steps, bool]]:
    """Chains of weights that only a forward in training mode uses, such as those of auxiliary heads."""
    unused = set(tracked.weights.values()) - {use.path for use in first.uses}
    if not unused or target.training:
        return []
    try:
        second = propagate(model, given, tracked, target.seed, dropping=True)
    except Exception:  # whatever the user's forward raises: what it does in evaluation mode is known
        return []
    return [(steps, kept) for steps, kept in second.chains if any(step.path in unused for step in steps)]


def _more_passes(
    first: Pass, given: Given, tracked: Tracked, target: Target, make: Make
) -> tuple[list[Pass], list[int], tuple[str, ...]]:
    """Passes through models from the other seeds, and which seeds were left out since something raised."""
    passes, seeds, left_out = [first], [target.seed], list[str]()
    for seed in range(target.seed + 1, target.seed + target.seeds):
        try:
            announce(Stage.RUNNING, seed)
            seed_everything(seed)
            with arguments_noted():
                model = make()
            named = dict(model.named_parameters(remove_duplicate=False))
            weights, sources, biases = (
                {key: path for path in paths.values() if path in named and (key := key_of(named[path])) is not None}
                for paths in (tracked.weights, tracked.sources, tracked.biases)
            )
            again = Tracked(weights, sources, biases)
            passes.append(propagate(model, given, again, target.seed, dropping=target.training))
            seeds.append(seed)
        except Exception as error:  # whatever the user's code raises: the first seed has been measured
            left_out.append(f"seed {seed} was not measured: it raised {describe(error)}")
    return passes, seeds, tuple(left_out)


def _tracked(model: torch.nn.Module, timelines: Timelines, unwritten: Neutral) -> Tracked:
    vectors = {
        key: name
        for name, tensor in timelines.tensors.items()
        if tensor.dim() == 1 and isinstance(tensor, torch.nn.Parameter) and (key := key_of(tensor)) is not None
    }
    suspect = {key: path for path, one in unwritten.suspect.items() if (key := key_of(one)) is not None}
    sources = {
        key: name
        for name, tensor in timelines.tensors.items()
        if isinstance(tensor, torch.nn.Parameter) and (key := key_of(tensor)) is not None
    }
    return Tracked(_weights(model, timelines), sources, vectors, _raw_buffers(timelines), suspect)


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


def _chains(found: Sequence[tuple[Steps, bool]], timelines: Timelines) -> Iterator[tuple[tuple[str, ...], Chain]]:
    """Chains that are not the beginning of a longer one, with the paths of their weights."""
    seen: set[tuple[str, ...]] = set()
    kept = [(_initialized(steps, timelines), normalized) for steps, normalized in found]
    for steps, normalized in sorted(kept, key=_length, reverse=True):
        paths = tuple(step.label for step in steps)
        if not steps or any(paths == other[: len(paths)] for other in seen):
            continue
        seen.add(paths)
        chain = Chain(
            observer=Observer.PROBE,
            model=timelines.declared[steps[0].path].model,
            links=tuple(_link(step, timelines) for step in steps),
            normalized=normalized,
            lost_decades=_lost(steps),
        )
        yield paths, chain


def _length(chain: tuple[Steps, bool]) -> tuple[int, bool]:
    steps, _ = chain
    return len(steps), bool(steps) and steps[-1].activation is not None


def _initialized(steps: Steps, timelines: Timelines) -> Steps:
    """The chain up to the first weight that nothing wrote, or whose input depends on such: its scale says nothing."""
    return tuple(
        itertools.takewhile(
            lambda step: timelines.coverage(step.path) is Coverage.WRITTEN and step.use.depends is None, steps
        ),
    )


def _lost(steps: Steps) -> float | None:
    """Decades of scale that the layers before activations lose; what comes last has a scale of its own."""
    scales = [step.use.rms for step in steps if step.activation is not None]
    if len(scales) < 2:
        return None
    first, last = scales[0], scales[-1]
    if not all(math.isfinite(rms) and rms > 0 for rms in (first, last)):
        return None
    return math.log10(first / last)


def _link(step: Step, timelines: Timelines) -> Link:
    path = step.use.same or step.path
    tensor, declared = timelines.tensors[path], timelines.declared[path]
    found, write = schemes_of(timelines.record(path), tuple(tensor.shape))
    if step.use.makers and step.use.same is None:  # a weight that is computed is distributed otherwise
        found = ()
    kind = torch.complex128 if tensor.is_complex() else torch.float64
    return Link(
        place=place_of(write.caused.writer) if write is not None else None,
        model=declared.model,
        parameter=declared.name,
        schemes=tuple(dict.fromkeys(recognition.scheme for recognition in found)),
        gain=found[0].gain if found else None,
        activation=step.activation if step.activation in CATALOGUE else None,
        fan_in=step.use.fans.fan_in,
        fan_out=step.use.fans.fan_out,
        variance=float(tensor.detach().to(kind).var(correction=0)),
    )
