"""Which activation follows which weight, from a real forward.

By data flow through the dispatcher, not by the order of modules.
"""

from __future__ import annotations

import enum
import math
from typing import Any

import msgspec
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from initaudit.activations import lookup
from initaudit.probe.blame import EXHAUSTED
from initaudit.probe.fills import Content, fill_storage
from initaudit.probe.measure import dead_part, is_dense, moments, rms_of
from initaudit.probe.products import CONVOLUTIONS, PRODUCTS, Meeting, meeting
from initaudit.probe.storages import key_of, storage_of
from initaudit.probe.watch import (
    OVERWRITES,
    Effect,
    effect_of,
    plain_name,
    run,
    tensors_in,
    written_arguments,
)

NORMALIZATIONS = frozenset({
    "native_layer_norm", "native_batch_norm", "_native_batch_norm_legit", "native_group_norm", "instance_norm",
    "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "_batch_norm_impl_index", "_fused_rms_norm", "rms_norm",
    "_batch_norm_with_update", "_batch_norm_no_update", "layer_norm", "group_norm", "batch_norm",
})  # fmt: skip
SCALES = frozenset({"rsqrt", "linalg_vector_norm", "norm", "sqrt", "reciprocal", "std", "std_mean", "var"})
"""What a normalization written by hand divides by, or multiplies with."""
OPAQUE = frozenset({
    "_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_attention_math", "glu", "_trilinear",
    "_scaled_dot_product_efficient_attention", "scaled_dot_product_attention", "lstm", "gru", "rnn_tanh", "rnn_relu",
    "mkldnn_rnn_layer", "_thnn_fused_lstm_cell", "_thnn_fused_gru_cell", "_transformer_encoder_layer_fwd",
    "_native_multi_head_attention",
})  # fmt: skip
"""Operators that are whole layers: no signal is followed through them."""
COPIES = frozenset({"clone", "_to_copy", "contiguous"})
ERF = "erf"
GATES = {"sigmoid": "silu", "tanh": "gelu", ERF: "gelu"}
"""What an activation makes of its own input when the two are multiplied: SiLU, and GELU as it is written by hand."""
BLOCK = 9
"""Links up to which a branch that is added to another signal counts as a residual block; a longer one fades."""


RECTIFIERS = ("relu", "relu6")
"""Those whose units are dead when nothing activates them: the gradient is zero on the other side."""


class Use:
    """A weight where the forward met it, and what was measured there; see ``Layer``."""

    __slots__ = (
        "activation", "apart", "bias", "convolution", "dead", "decided_by", "depends", "discrimination", "drowned",
        "fans", "fed", "normalized", "output", "path", "rms", "samples", "units",
    )  # fmt: skip

    def __init__(self, path: str, fans: Meeting, *, units: int, convolution: bool, fed: bool) -> None:
        self.path = path
        self.fans = fans
        self.units = units
        self.convolution = convolution
        self.fed = fed
        self.normalized = False
        self.output = False
        self.activation: str | None = None
        self.bias: str | None = None
        self.rms = math.nan
        self.discrimination: float | None = None
        self.drowned: float | None = None
        self.dead: float | None = None
        self.apart: float | None = None
        self.samples = 0
        self.depends: str | None = None
        self.decided_by: tuple[str, bool] | None = None


class Step(msgspec.Struct, frozen=True):
    """A weight that a signal went through, and the activation that the signal met next."""

    use: Use
    activation: str | None = None

    @property
    def path(self) -> str:
        return self.use.path


Steps = tuple[Step, ...]


class Ending(enum.Enum):
    """What a chain ends at."""

    NORMALIZATION = enum.auto()
    SUM = enum.auto()
    OTHER = enum.auto()


class Signal:
    """Values on their way: the weights they went through since something last normalized, added or multiplied them.

    ``last`` is the weight that they all come from, normalized or not. ``used`` says that another signal was made of
    it, or that it ended: what is left when the forward is over is output.
    """

    __slots__ = ("last", "steps", "used")

    def __init__(self, steps: Steps = (), last: Use | None = None) -> None:
        self.steps = steps
        self.last = steps[-1].use if steps else last
        self.used = False

    @property
    def activation(self) -> str | None:
        return self.steps[-1].activation if self.steps else None

    def activated(self, key: str | None) -> Signal:
        """The signal after an activation; only the first after a weight counts."""
        self.used = True
        return Signal((*self.steps[:-1], msgspec.structs.replace(self.steps[-1], activation=key)))

    def through(self, step: Step) -> Signal:
        """The signal after another weight."""
        self.used = True
        return Signal((*self.steps, step))


class Tracked(msgspec.Struct, frozen=True):
    """What a forward is watched for, from storage to path.

    ``weights`` are parameters that multiply, with two dimensions or more, and ``biases`` those with one. ``unwritten``
    are tensors that hold what nothing wrote.
    """

    weights: dict[int, str]
    biases: dict[int, str] = {}
    raw_buffers: dict[int, str] = {}
    unwritten: dict[int, str] = {}


class Follow(TorchDispatchMode):
    """Follows signals through a forward.

    ``chains`` are the steps of each chain that ended, and whether a sum keeps its scale; ``uses`` are the weights that
    were met, in order; ``heads`` are those whose output is one of the model's; ``read`` are the raw buffers that were
    read before anything wrote them. ``allocates`` says that the forward takes memory that it must write itself: it is
    filled with zeros, so that one answer is given whatever that memory held.
    """

    def __init__(self, tracked: Tracked, inputs: Any = (), batch: int | None = None) -> None:
        super().__init__()
        self.weights = dict(tracked.weights)
        self.biases = tracked.biases
        self.raw_buffers = tracked.raw_buffers
        self.batch = batch
        self.chains: list[tuple[Steps, bool]] = []
        self.uses: list[Use] = []
        self.heads: list[tuple[Use, torch.Tensor]] = []
        self.read: set[str] = set()
        self.allocates = False
        self.failure: Exception | None = None
        self._fed = {key_of(tensor) for tensor in tensors_in(inputs) if differs_over_batch(tensor)} - {None}
        self._written: set[str] = set()
        self._signals: dict[int, Signal] = {}
        self._scales: set[int] = set()
        self._depends = dict(tracked.unwritten)
        self._course: list[tuple[tuple[int, ...], tuple[int, ...]]] = []  # what went in and came out, where it matters

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        result = run(function, args, given)
        try:
            self._take_in(function, args, given, result)
        except EXHAUSTED:
            raise
        except Exception as error:  # the forward goes on: it has nothing to do with a failure of ours
            self.failure = self.failure or error
        return result

    def _take_in(self, function: Any, args: tuple[Any, ...], given: dict[str, Any], result: Any) -> None:
        self._note_buffers(function, args, given)
        name = plain_name(function).removesuffix("_")
        operands = list(tensors_in((args, given)))
        shape_only = name.endswith("_like") or name.startswith("new_")
        if effect_of(function) is Effect.ALLOCATES and not result.is_meta:
            self.allocates = True
            fill_storage(result, 0, Content.ZERO)
        if self._depends and not shape_only:
            self._depend(function, args, given, operands, result)
        signal = self._signal(name, args, given, operands, result)
        fed = not shape_only and not self._fed.isdisjoint(map(key_of, operands))
        for tensor in tensors_in(result):
            self._mark(name, tensor, signal, operands, fed=fed)

    def _depend(
        self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], operands: list[torch.Tensor], result: Any
    ) -> None:
        """Mark what is computed from values that depend on unwritten memory, and unmark what is overwritten."""
        for position, keyword, _ in written_arguments(function):
            target = args[position] if position < len(args) else kwargs.get(keyword)
            for tensor in tensors_in(target):
                key = key_of(tensor)
                replaced = plain_name(function) in OVERWRITES and _fills_storage(tensor)
                if key in self.raw_buffers or replaced:
                    self._depends.pop(key or 0, None)
        keys = tuple(key for tensor in operands if (key := key_of(tensor)) is not None)
        results = tuple(key for tensor in tensors_in(result) if (key := key_of(tensor)) is not None)
        source = next((found for key in keys if (found := self._depends.get(key)) is not None), None)
        if source is not None:
            for key in results:
                self._depends.setdefault(key, source)
        self._course.append((keys, results))

    def influenced(self) -> dict[int, str]:
        """By storage, what flows into something that depends on unwritten memory, and on which."""
        reached: dict[int, str] = dict(self._depends)
        for keys, results in reversed(self._course):
            source = next((found for key in results if (found := reached.get(key)) is not None), None)
            if source is not None:
                for key in keys:
                    reached.setdefault(key, source)
        return reached

    def finish(self, outputs: Any = ()) -> None:
        """Take in every chain whose end is an output of the model."""
        for tensor in tensors_in(outputs):
            signal = self._signals.get(key_of(tensor) or 0)
            if signal is not None and signal.last is not None and not signal.used:
                signal.last.output = True
                self.heads.append((signal.last, tensor))
        for signal in self._signals.values():
            if signal.steps and not signal.used:
                signal.used = True
                self.chains.append((signal.steps, False))

    def _mark(
        self, name: str, tensor: torch.Tensor, signal: Signal | None, operands: list[torch.Tensor], *, fed: bool
    ) -> None:
        key = key_of(tensor)
        if key is None or key in self.weights:
            return
        if fed:
            self._fed.add(key)
        if name in COPIES and operands and (path := self.weights.get(key_of(operands[0]) or 0)) is not None:
            self.weights[key] = path
        elif name in SCALES or (signal is None and self._by_scale(operands)):
            self._scales.add(key)
        elif signal is not None and (tensor.is_floating_point() or tensor.is_complex()):
            self._signals[key] = signal

    def _note_buffers(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self.raw_buffers or _is_view(function):
            return
        for position, keyword, _ in written_arguments(function):
            target = args[position] if position < len(args) else kwargs.get(keyword)
            self._written.update(self._raw(target))
        self.read.update(self._raw((args, kwargs)) - self._written)

    def _raw(self, value: Any) -> set[str]:
        paths = (self.raw_buffers.get(key_of(tensor) or 0) for tensor in tensors_in(value))
        return {path for path in paths if path is not None}

    def _signal(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], operands: list[torch.Tensor], result: Any
    ) -> Signal | None:
        """The signal that an operator gives; None when nothing that is followed goes in."""
        signals = [found for one in operands if (found := self._signals.get(key_of(one) or 0)) is not None]
        incoming = list({id(signal): signal for signal in signals}.values())
        if name in PRODUCTS:
            known = ((one, path) for one in reversed(operands) if (path := self.weights.get(key_of(one) or 0)))
            weight = next(known, None)  # the last one: what is learned may also be what goes in, such as queries
            if weight is None:
                return self._end(incoming, Ending.OTHER)
            use = self._use(name, args, operands, *weight, result)
            return self._product(incoming, use)
        if not incoming:
            return None
        if name in OPAQUE:
            return self._end(incoming, Ending.OTHER)
        if name == "cat" and self._joins_input(operands):
            return self._end(incoming, Ending.OTHER)
        if name in NORMALIZATIONS or (name in ("mul", "div") and self._by_scale(operands)):
            for last in (signal.last for signal in incoming if signal.last is not None):
                last.decided_by = self._decisive(operands)
            return self._end(incoming, Ending.NORMALIZATION)
        activation = _activation(name, args, kwargs)
        if activation is not None and len(incoming) == 1:
            return self._activated(incoming[0], activation, result)
        return incoming[0] if len(incoming) == 1 else self._joined(name, incoming)

    def _decisive(self, operands: list[torch.Tensor]) -> tuple[str, bool] | None:
        """The gain of a normalization if it is zero, or else its bias if that is larger; and whether it is the gain."""
        learned = [(path, rms_of(one)) for one in operands if (path := self.biases.get(key_of(one) or 0)) is not None]
        if not learned:
            return None
        (gain, size), *rest = learned
        if size == 0:
            return gain, True
        return next(((bias, False) for bias, other in rest if other > size), None)

    def _joins_input(self, operands: list[torch.Tensor]) -> bool:
        """Whether something stands beside the signals that the input gives and no weight has met."""
        keys = {key_of(tensor) for tensor in operands if tensor.is_floating_point()}
        return any(key in self._fed and key not in self._signals for key in keys if key is not None)

    def _by_scale(self, operands: list[torch.Tensor]) -> bool:
        return any((key_of(tensor) or 0) in self._scales for tensor in operands)

    def _use(
        self,
        name: str,
        args: tuple[Any, ...],
        operands: list[torch.Tensor],
        weight: torch.Tensor,
        path: str,
        result: Any,
    ) -> Use:
        """Measure what a weight gives."""
        fans, output = meeting(name, args, weight), next(tensors_in(result))
        convolution = name in CONVOLUTIONS
        others = [key_of(tensor) for tensor in operands if tensor is not weight]
        units = output.shape[1 if convolution else -1] if output.dim() > 1 else output.numel()
        use = Use(path, fans, units=units, convolution=convolution, fed=not self._fed.isdisjoint(others))
        use.rms, use.discrimination = moments(output, self.batch)
        if self.batch is None and output.dim() > 1:  # as of a graph, where nodes are the samples
            use.apart = moments(output, output.shape[0])[1]
        use.depends = self._depends.get(key_of(output) or 0) if self._depends else None
        use.bias = next((found for key in others if key is not None and (found := self.biases.get(key))), None)
        if use.bias is not None and use.rms > 0:
            bias = next(tensor for tensor in operands if self.biases.get(key_of(tensor) or 0) == use.bias)
            use.drowned = min(1.0, (rms_of(bias) / use.rms) ** 2)
        self.uses.append(use)
        return use

    def _product(self, incoming: list[Signal], use: Use) -> Signal:
        before = incoming[0] if len(incoming) == 1 else self._end(incoming, Ending.OTHER)
        return before.through(Step(use))

    def _activated(self, signal: Signal, key: str, result: Any) -> Signal:
        use = signal.last
        if use is not None and use.activation is None:
            use.activation = key
            if key in RECTIFIERS:
                rectified = next(tensors_in(result))
                use.dead = dead_part(rectified, use.units, convolution=use.convolution)
                use.samples = rectified.shape[0] if rectified.dim() > 1 else 0
        if not signal.steps or signal.activation is not None:
            return signal
        after = signal.activated(key)
        return self._end([after], Ending.OTHER) if key in ("softmax", "log_softmax") else after

    def _joined(self, name: str, incoming: list[Signal]) -> Signal:
        """Several signals that meet: a gate on its own input is an activation, everything else ends the chains."""
        if name == "mul" and len(incoming) == 2:
            plain, gate = sorted(incoming, key=lambda signal: signal.activation is not None)
            if plain.activation is None and gate.activation in GATES and _same_but_for_activation(plain, gate):
                gate.used = True
                after = plain.activated(GATES[gate.activation])
                after.steps[-1].use.activation = after.activation
                return after
        return self._end(incoming, Ending.SUM if name in ("add", "sub") else Ending.OTHER)

    def _end(self, incoming: list[Signal], ending: Ending) -> Signal:
        """Take in the chains that end here. A weight that is normalized before any activation belongs to none."""
        for signal in incoming:
            steps = signal.steps
            if ending is Ending.NORMALIZATION and signal.last is not None:
                signal.last.normalized = True
                steps = steps if signal.activation is not None else steps[:-1]
            if any(step.activation is not None for step in steps) and not signal.used:
                self.chains.append((steps, ending is Ending.SUM and len(steps) <= BLOCK))
            signal.used = True
        alone = incoming[0].last if len(incoming) == 1 else None
        return Signal(last=alone)


def _activation(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    """The activation that an operator is; a clamp from zero on is a ReLU, an error function part of a GELU."""
    numbers = [value for value in args[1:] if not isinstance(value, torch.Tensor)]
    if name == ERF:
        return ERF
    if name in ("clamp", "clamp_min"):
        low, high = (*numbers, None, None)[:2]
        return "relu" if kwargs.get("min", low) == 0 and kwargs.get("max", high) is None else None
    found = lookup(f"aten.{name}", numbers)
    return found.key if found is not None else None


def _same_but_for_activation(one: Signal, other: Signal) -> bool:
    return [step.path for step in one.steps] == [step.path for step in other.steps]


def _is_view(function: Any) -> bool:
    return any(r.alias_info is not None and not r.alias_info.is_write for r in function._schema.returns)


def _fills_storage(tensor: torch.Tensor) -> bool:
    storage = storage_of(tensor)
    return storage is not None and storage.nbytes() <= tensor.numel() * tensor.element_size()


def differs_over_batch(tensor: torch.Tensor) -> bool:
    """Whether the samples of a batch are not all the same."""
    if not is_dense(tensor) or tensor.dim() == 0 or tensor.shape[0] < 2:
        return False
    return bool((tensor[1:] != tensor[:1]).any())
