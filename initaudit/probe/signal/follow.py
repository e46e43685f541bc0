"""Track which activation follows which weight in a forward, by data flow through torch's dispatcher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import torch

from initaudit.activations import lookup
from initaudit.probe.blame import EXHAUSTED
from initaudit.probe.record.fills import Content, fill_storage
from initaudit.probe.record.modes import Mode
from initaudit.probe.record.storages import key_of, storage_of
from initaudit.probe.record.watch import (
    OVERWRITES,
    Effect,
    effect_of,
    plain_name,
    run,
    tensors_in,
    written_arguments,
)
from initaudit.probe.signal.attention import Attentions
from initaudit.probe.signal.elementwise import Elementwise
from initaudit.probe.signal.losses import Head
from initaudit.probe.signal.making import Making
from initaudit.probe.signal.measure import is_dense, moments, rms_of
from initaudit.probe.signal.operators import COPIES, ERF, GATES, NORMALIZATIONS, OPAQUE, SCALES, SCORES
from initaudit.probe.signal.products import CONVOLUTIONS, PRODUCTS, meeting
from initaudit.probe.signal.signals import Ending, Signal, concatenated, rectified
from initaudit.probe.signal.spectra import Spectra, filters
from initaudit.probe.signal.sums import Sums
from initaudit.probe.signal.uses import Step, Steps, Use

LOST = 0.01
"""The remaining fraction of a scale or a discrimination below which it counts as lost."""
DISTINCT = 0.1
"""The discrimination from which an output depends enough on the input; healthy networks have 0.12 to 0.95."""
BLOCK = 9
"""Maximum number of weights in a branch for which an addition counts as a residual connection."""


BOUNDED = ("tanh", "sigmoid")
"""Activations of gates, which are flat for large inputs."""
RECTIFIERS = ("relu", "relu6")
"""Activations with a gradient of zero on one side, whose units can be dead."""


class Tracked(msgspec.Struct, frozen=True):
    """The tensors that are tracked in a forward, as paths by storage.

    ``weights`` are parameters with two or more dimensions that multiply, ``biases`` parameters with one dimension,
    ``sources`` all parameters, and ``unwritten`` tensors with uninitialized elements.
    """

    weights: dict[int, str]
    sources: dict[int, str]
    biases: dict[int, str] = {}
    raw_buffers: dict[int, str] = {}
    unwritten: dict[int, str] = {}


class Follow(Mode):
    """Follows signals through a forward.

    ``chains`` are the steps of each chain that ended, and whether a sum keeps its scale; ``uses`` are the weights in
    order of use; ``heads`` are the outputs of the model; ``read`` are the uninitialized buffers that were read before a
    write. ``allocates`` says that the forward allocates uninitialized memory, which is filled with zeros, so that the
    result does not depend on its content. ``looked_up`` are the numbers of rows of the tables that an integer input of
    the model indexes; positions that the forward computes are no input.
    """

    def __init__(self, tracked: Tracked, inputs: Any = (), batch: int | None = None) -> None:
        super().__init__()
        self.weights = dict(tracked.weights)
        self.biases = tracked.biases
        self.raw_buffers = tracked.raw_buffers
        self.batch = batch
        self.chains: list[tuple[Steps, bool]] = []
        self.uses: list[Use] = []
        self.heads: list[Head] = []
        self.read: set[str] = set()
        self.allocates = False
        self.failure: Exception | None = None
        self.making = Making(tracked.sources, {key_of(tensor) for tensor in tensors_in(inputs)} - {None})
        given = {key for tensor in tensors_in(inputs) if (key := key_of(tensor)) is not None}
        self.sums, self.attentions = Sums(given, batch), Attentions(self._signal_of)
        self._spectra = Spectra()
        self._elementwise = Elementwise(self.making, self.sums, self._signal_of, batch)
        self.looked_up: set[int] = set()
        self._indices = {key_of(one) for one in tensors_in(inputs) if _is_index(one)} - {None}
        self._aside: set[int] = set()  # chains multiplied with another tensor: gates, attention
        self._making: set[Use] = set()  # uses of weights that only compute another weight
        self._fed = {key_of(tensor) for tensor in tensors_in(inputs) if differs_over_batch(tensor)} - {None}
        # what is computed from numbers of the input or from parameters, and not from the course of edges alone
        self._numbers = {key_of(one) for one in tensors_in(inputs) if not _is_index(one)} | set(tracked.sources)
        self._written: set[str] = set()
        self._signals: dict[int, Signal] = {}
        self._scales: set[int] = set()
        self._depends = dict(tracked.unwritten)
        # storages of the operands and of the results of each operator
        self._course: list[tuple[tuple[int, ...], tuple[int, ...]]] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        result = run(function, args, given)
        try:
            self._take_in(function, args, given, result)
        except EXHAUSTED:
            raise
        except Exception as error:  # the forward continues: an internal error does not concern it
            self.failure = self.failure or error
        return result

    def _take_in(self, function: Any, args: tuple[Any, ...], given: dict[str, Any], result: Any) -> None:
        self._note_buffers(function, args, given)
        self._note_tables(function, args, result)
        name = plain_name(function).removesuffix("_")
        operands = list(tensors_in((args, given)))
        shape_only = name.endswith("_like") or name.startswith("new_")
        if effect_of(function) is Effect.ALLOCATES and not result.is_meta:
            self.allocates = True
            fill_storage(result, 0, Content.ZERO)
        if self._depends and not shape_only:
            self._depend(function, args, given, operands, result)
        results = list(tensors_in(result))
        self._spectra.take_in(name, operands, results)
        multiplies = name in PRODUCTS or filters(name, operands)
        use, weight = self._use(name, args, operands, results) if multiplies else (None, None)
        if name in SCORES and (scored := self._signals.get(key_of(operands[0]) or 0)) is not None:
            self._score(scored, operands[0])
        if use is None:
            self.attentions.take_in(name, args, given, operands, result)
        signal = self._signal(name, args, given, [one for one in operands if one is not weight], results, use)
        fed = not shape_only and not self._fed.isdisjoint(map(key_of, operands))
        if not shape_only:
            self.sums.take_in(name, operands, results, use, self.making)
            by_scale = name in ("mul", "div") and self._by_scale(operands)
            tracked = self._elementwise.take_in(name, operands, results, by_scale=by_scale)
            self.making.take_in(name, operands, results, use, followed=multiplies or tracked)
        for tensor in results:
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
        """Return, by storage, the unwritten tensor that the results computed from it depend on."""
        reached: dict[int, str] = dict(self._depends)
        for keys, results in reversed(self._course):
            source = next((found for key in results if (found := reached.get(key)) is not None), None)
            if source is not None:
                for key in keys:
                    reached.setdefault(key, source)
        return reached

    def finish(self, outputs: Any = (), names: Mapping[int, str] | None = None) -> None:
        """Add the chains that end in an output of the model. ``names`` are the names of outputs, by id."""
        for tensor in tensors_in(outputs):
            signal = self._signals.get(key_of(tensor) or 0)
            if signal is not None and signal.chief is not None and not signal.used:
                self.heads.append(Head(signal.chief, tensor, (names or {}).get(id(tensor))))
                if signal.last is not None:
                    signal.last.output = True
        for signal in self._signals.values():
            if signal.steps and not signal.used:
                signal.used = True
                self.chains.append((signal.steps, False))
        kept = [moments(tensor, self.batch)[1] or 0.0 for tensor in tensors_in(outputs) if self._is_fed(tensor)]
        if kept and min(kept) > DISTINCT:  # the residual stream is intact: only branches lost their signal
            self.chains = [(steps, kept or index in self._aside) for index, (steps, kept) in enumerate(self.chains)]
        self.uses = [use for use in self.uses if use not in self._making]
        self.chains = [one for one in self.chains if self._making.isdisjoint(step.use for step in one[0])]

    def _is_fed(self, tensor: torch.Tensor) -> bool:
        return tensor.is_floating_point() and key_of(tensor) in self._fed

    def _score(self, signal: Signal, logarithms: torch.Tensor) -> None:
        """Count the input of a loss over classes as an output of the model."""
        if signal.chief is not None:
            signal.chief.output = True
            self.heads.append(Head(signal.chief, logarithms, scored=True))

    def _mark(
        self, name: str, tensor: torch.Tensor, signal: Signal | None, operands: list[torch.Tensor], *, fed: bool
    ) -> None:
        key = key_of(tensor)
        if key is None or key in self.weights:
            return
        if fed:
            self._fed.add(key)
        if any(key_of(one) in self._numbers for one in operands if not _is_index(one)):
            self._numbers.add(key)
        if name in COPIES and operands and (path := self.weights.get(key_of(operands[0]) or 0)) is not None:
            self.weights[key] = path
        elif (name in SCALES and key in self._numbers) or (signal is None and self._by_scale(operands)):
            origin = self.making.origin(tensor)
            if origin is None or origin.product:  # a normalization of a weight does not normalize a signal
                self._scales.add(key)
        elif signal is not None and (tensor.is_floating_point() or tensor.is_complex()):
            self._signals[key] = signal

    def _note_tables(self, function: Any, args: tuple[Any, ...], result: Any) -> None:
        """Note the size of a table that an integer input, or a copy of one, indexes."""
        match plain_name(function), args:
            case (("embedding" | "_embedding_bag" | "_embedding_bag_forward_only"), (table, index, *_)):
                if key_of(index) in self._indices:
                    self.looked_up.add(table.shape[0])
            case name, (source, *_) if name in COPIES and isinstance(source, torch.Tensor) and _is_index(result):
                if key_of(source) in self._indices:
                    self._indices.add(key_of(result))
            case _:
                pass

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
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        operands: list[torch.Tensor],
        results: list[torch.Tensor],
        use: Use | None,
    ) -> Signal | None:
        """Return the signal that an operator returns; None if no operand is tracked. No operand is a weight."""
        signals = [found for one in operands if (found := self._signals.get(key_of(one) or 0)) is not None]
        incoming = list({id(signal): signal for signal in signals}.values())
        if use is not None:
            return self._product(incoming, use)
        if name in PRODUCTS:
            return self._end(incoming, Ending.OTHER)
        if not incoming:
            return None
        if name in OPAQUE:
            return self._end(incoming, Ending.OTHER)
        if name == "cat" and (len(incoming) > 1 or self._joins_input(operands)):
            parts = tuple(concatenated(args[0], args[1] if len(args) > 1 else 0, self._signal_of))
            self._end(incoming, Ending.JOIN, results[0])
            weights = {signal.last and signal.last.label for signal in incoming}
            return Signal(parts=parts, last=incoming[0].last if len(weights) == 1 else None)  # a head on several levels
        if name in NORMALIZATIONS or (name in ("mul", "div") and self._by_scale(operands)):
            for use, _ in (part for signal in incoming for part in signal.parts):
                use.decided_by = self._decisive(operands)
            after = self._end(incoming, Ending.NORMALIZATION)
            only = incoming[0] if len(incoming) == 1 else after
            return Signal(last=after.last, chief=only.chief, parts=only.parts)
        activation = _activation(name, args, kwargs)
        if activation is not None and len(incoming) == 1:
            return self._activated(incoming[0], activation, results[0])
        return incoming[0] if len(incoming) == 1 else self._joined(name, incoming, operands, results)

    def _signal_of(self, tensor: torch.Tensor) -> Signal | None:
        return self._signals.get(key_of(tensor) or 0)

    def _decisive(self, operands: list[torch.Tensor]) -> tuple[str, bool] | None:
        """Return the gain of a normalization if it is zero, else its bias if larger; and whether it is the gain."""
        learned = [(path, rms_of(one)) for one in operands if (path := self.biases.get(key_of(one) or 0)) is not None]
        if not learned:
            return None
        (gain, size), *rest = learned
        if size == 0:
            return gain, True
        return next(((bias, False) for bias, other in rest if other > size), None)

    def _joins_input(self, operands: list[torch.Tensor]) -> bool:
        """Whether an operand depends on the input without having passed a weight."""
        keys = {key_of(tensor) for tensor in operands if tensor.is_floating_point()}
        return any(key in self._fed and key not in self._signals for key in keys if key is not None)

    def _by_scale(self, operands: list[torch.Tensor]) -> bool:
        return any((key_of(tensor) or 0) in self._scales for tensor in operands)

    def _use(
        self, name: str, args: tuple[Any, ...], operands: list[torch.Tensor], results: list[torch.Tensor]
    ) -> tuple[Use, torch.Tensor] | tuple[None, None]:
        """Measure the result of a product with a weight; return its use and the weight."""
        known = ((one, path) for one in reversed(operands) if (path := self.weights.get(key_of(one) or 0)))
        direct = next(known, None)  # the last one: the input may be learned too, such as queries
        if direct is not None:
            weight, path = direct
            return self._measured(name, args, operands, weight, path, results[0]), weight
        found = self.making.factor(name, operands)
        if found is None:
            return None, None
        weight, origin = found
        use = self._measured(name, args, operands, weight, origin.paths[0], results[0])
        use.made, use.makers = weight, origin.paths
        self._making.update(origin.uses)
        return use, weight

    def _measured(
        self,
        name: str,
        args: tuple[Any, ...],
        operands: list[torch.Tensor],
        weight: torch.Tensor,
        path: str,
        output: torch.Tensor,
    ) -> Use:
        """Measure the output of a weight."""
        fans = meeting(name, args, weight)
        convolution = name in CONVOLUTIONS
        others = [key_of(tensor) for tensor in operands if tensor is not weight]
        units = output.shape[1 if convolution else -1] if output.dim() > 1 else output.numel()
        use = Use(path, fans, units=units, convolution=convolution, fed=not self._fed.isdisjoint(others))
        use.shape = tuple(weight.shape)
        if not _fills_storage(weight):
            use.place = (weight.storage_offset(), weight.numel())
        given = next((one for one in reversed(operands) if one is not weight and one.dim() > 1), None)
        scale = self._spectra.scale(given) if given is not None else 1.0
        use.given = rms_of(given) * scale if given is not None else None
        use.rms, use.discrimination = moments(output, self.batch)
        use.rms *= scale
        if self.batch is None and output.dim() > 1:  # in a graph, the nodes are the samples
            use.apart = moments(output, output.shape[0])[1]
        use.depends = self._depends.get(key_of(output) or 0) if self._depends else None
        use.bias = next((found for key in others if key is not None and (found := self.biases.get(key))), None)
        if use.bias is not None and use.rms > 0:
            bias = next(tensor for tensor in operands if self.biases.get(key_of(tensor) or 0) == use.bias)
            use.bias_share = min(1.0, (rms_of(bias) / use.rms) ** 2)
        self.uses.append(use)
        return use

    def _product(self, incoming: list[Signal], use: Use) -> Signal:
        before = incoming[0] if len(incoming) == 1 else self._end(incoming, Ending.OTHER)
        return before.through(Step(use))

    def _activated(self, signal: Signal, key: str, after: torch.Tensor) -> Signal:
        first = signal.chief is not None and signal.chief.activation is None
        if key in RECTIFIERS:
            rectified(signal, after, key)
        if signal.last is not None and first:
            signal.last.activation = key
        if signal.last is None and signal.chief is not None and key in BOUNDED and signal.chief.bounds != "tanh":
            signal.chief.bounds = key
        if not signal.steps or signal.activation is not None:
            return signal
        passed = signal.activated(key)
        return self._end([passed], Ending.OTHER) if key in ("softmax", "log_softmax") else passed

    def _joined(
        self, name: str, incoming: list[Signal], operands: list[torch.Tensor], results: list[torch.Tensor]
    ) -> Signal:
        """Join several signals: a gate on its own input is an activation, anything else ends the chains."""
        if name == "mul" and len(incoming) == 2:
            plain, gate = sorted(incoming, key=lambda signal: signal.activation is not None)
            if plain.activation is None and gate.activation in GATES and _same_but_for_activation(plain, gate):
                gate.used = True
                after = plain.activated(GATES[gate.activation])
                after.steps[-1].use.activation = after.activation
                return after
        summed = name in ("add", "sub")
        joined = self._end(incoming, Ending.JOIN if summed else Ending.OTHER, results[0] if results else None)
        return Signal(chief=self._chief(operands, results)) if summed else joined

    def _chief(self, summands: list[torch.Tensor], results: list[torch.Tensor]) -> Use | None:
        """Return the weight with the largest output among the summands, one of which may hold the sum by now."""
        found = [(one, self._signals.get(key_of(one) or 0)) for one in summands]
        known = [(signal.chief, one) for one, signal in found if signal is not None and signal.chief is not None]
        if len({use for use, _ in known}) < 2:
            return known[0][0] if known else None
        written = {key_of(one) for one in results}
        return max(known, key=lambda pair: pair[0].rms if key_of(pair[1]) in written else rms_of(pair[1]))[0]

    def _end(self, incoming: list[Signal], ending: Ending, result: torch.Tensor | None = None) -> Signal:
        """Add the chains that end here. A weight that is normalized before any activation belongs to no chain."""
        for signal in incoming:
            steps = signal.steps
            if ending is Ending.NORMALIZATION and signal.last is not None:
                signal.last.normalized = True
                steps = steps if signal.activation is not None else steps[:-1]
            if any(step.activation is not None for step in steps) and not signal.used:
                kept = ending is Ending.JOIN and len(steps) <= BLOCK and self._is_kept(steps, result)
                if ending is Ending.OTHER and len(steps) <= BLOCK:
                    self._aside.add(len(self.chains))
                self.chains.append((steps, kept))
            signal.used = True
        alone = incoming[0].last if len(incoming) == 1 else None
        return Signal(last=alone)

    def _is_kept(self, steps: Steps, joined: torch.Tensor | None) -> bool:
        """Whether the joined tensor keeps what a branch lost, since a branch may be small on purpose."""
        first, last = steps[0].use, steps[-1].use
        if joined is None or not (faded(first.rms, last.rms) or faded(first.discrimination, last.discrimination)):
            return True
        rms, discrimination = moments(joined, self.batch)
        return not (faded(first.rms, rms) or faded(first.discrimination, discrimination))


def faded(before: float | None, after: float | None) -> bool:
    """Whether most of a measure is lost."""
    return before is not None and after is not None and after < LOST * before


def _is_index(tensor: torch.Tensor) -> bool:
    return tensor.dtype in (torch.int32, torch.int64)


def _activation(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    """Return the activation of an operator; a clamp at zero is a ReLU, and an error function is part of a GELU."""
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
    """Whether the samples of a batch differ."""
    if not is_dense(tensor) or tensor.dim() == 0 or tensor.shape[0] < 2:
        return False
    return bool((tensor[1:] != tensor[:1]).any())
