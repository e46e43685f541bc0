"""Which activation follows which weight, from a real forward: by data flow through the dispatcher, not by the order of modules."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from initaudit.activations import lookup

PRODUCTS = {
    "aten::addmm", "aten::mm", "aten::bmm", "aten::baddbmm", "aten::matmul", "aten::linear", "aten::convolution",
    "aten::_convolution", "aten::convolution_overrideable", "aten::mv", "aten::addmv", "aten::mkldnn_linear",
}  # fmt: skip
NORMALIZATIONS = {
    "aten::native_layer_norm", "aten::native_batch_norm", "aten::_native_batch_norm_legit", "aten::native_group_norm",
    "aten::_native_batch_norm_legit_no_training", "aten::cudnn_batch_norm", "aten::_batch_norm_impl_index",
    "aten::_fused_rms_norm", "aten::rms_norm", "aten::_softmax", "aten::_log_softmax", "aten::_batch_norm_with_update",
    "aten::_batch_norm_no_update",
}  # fmt: skip
SCALE_OF_A_NORM = {"aten::rsqrt", "aten::linalg_vector_norm", "aten::norm", "aten::sqrt", "aten::reciprocal"}
ATTENTION = {
    "aten::_scaled_dot_product_flash_attention_for_cpu", "aten::_scaled_dot_product_attention_math",
    "aten::_scaled_dot_product_efficient_attention", "aten::scaled_dot_product_attention",
}  # fmt: skip


class Signal:
    """Values on their way: the weight they come from, what they have met since, and the weights before it.

    ``trail`` goes back as far as nothing normalized, added or multiplied. ``rms`` is that of the weight's output.
    """

    __slots__ = ("activation", "normalized", "rms", "trail", "weight")

    def __init__(
        self,
        weight: str | None = None,
        activation: str | None = None,
        trail: tuple[tuple[str, str | None, float], ...] = (),
        *,
        normalized: bool = False,
        rms: float = math.nan,
    ) -> None:
        self.weight = weight
        self.activation = activation
        self.trail = trail
        self.normalized = normalized
        self.rms = rms

    def links(self) -> tuple[tuple[str, str | None, float], ...]:
        """The trail with this weight at its end: path, activation, rms of its output."""
        return self.trail if self.weight is None else (*self.trail, (self.weight, self.activation, self.rms))


MIXED = Signal(normalized=True)


class Follow(TorchDispatchMode):
    """Follows signals through a forward. ``chains`` are the links of each chain that ended, ``read`` the buffers that were read raw."""

    def __init__(self, weights: dict[int, str], raw_buffers: dict[int, str]) -> None:
        super().__init__()
        self.weights = weights  # storage -> path, of parameters with two dimensions or more
        self.raw_buffers = raw_buffers  # storage -> path
        self.chains: list[tuple[tuple[str, str | None, float], ...]] = []
        self.read: set[str] = set()
        self.written: set[str] = set()
        self._signals: dict[int, tuple[StorageWeakRef, Signal]] = {}
        self._scales: dict[int, StorageWeakRef] = {}

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        self._note_buffers(function, args, given)
        result = function(*args, **given)
        signal = self._result(function._schema.name, args, given, result)
        for tensor in _tensors(result):
            key = _key(tensor)
            if key is not None and key not in self.weights:
                if signal is not None:
                    self._signals[key] = (StorageWeakRef(tensor.untyped_storage()), signal)
                if function._schema.name in SCALE_OF_A_NORM:
                    self._scales[key] = StorageWeakRef(tensor.untyped_storage())
        return result

    def finish(self) -> None:
        """Every chain whose end is the output of the model."""
        for _, signal in self._signals.values():
            if signal.weight is not None:
                self.chains.append(signal.links())

    def _note_buffers(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for position, argument in enumerate(function._schema.arguments):
            value = args[position] if position < len(args) else kwargs.get(argument.name)
            for tensor in _tensors(value):
                path = self.raw_buffers.get(_key(tensor) or 0)
                if path is None or path in self.written or _is_view(function):
                    continue
                writes = argument.alias_info is not None and argument.alias_info.is_write
                (self.written if writes else self.read).add(path)

    def _result(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Signal | None:
        """The signal that an operator gives."""
        tensors = list(_tensors((args, kwargs)))
        weight = next((path for t in tensors if (path := self.weights.get(_key(t) or 0)) is not None), None)
        incoming = [found for t in tensors if (found := self._signal(t)) is not None]
        if name in PRODUCTS:
            if weight is None:
                return self._end(incoming)
            return self._through(weight, incoming, result)
        if name in ATTENTION:
            return self._end(incoming)
        if name in NORMALIZATIONS or (incoming and name in ("aten::mul", "aten::div") and self._by_scale(tensors)):
            return self._end(incoming)
        if not incoming:
            return None
        activation = lookup(f"aten.{name.removeprefix('aten::')}", _after_input(args))
        if activation is not None and len(incoming) == 1:
            return self._activated(incoming[0], activation.key)
        if len({id(signal) for signal in incoming}) == 1:
            return incoming[0]
        return self._end(incoming)

    def _signal(self, tensor: torch.Tensor) -> Signal | None:
        found = self._signals.get(_key(tensor) or 0)
        return found[1] if found is not None else None

    def _by_scale(self, tensors: list[torch.Tensor]) -> bool:
        return any((_key(tensor) or 0) in self._scales for tensor in tensors)

    def _through(self, weight: str, incoming: list[Signal], result: Any) -> Signal:
        before = incoming[0] if incoming else None
        rms = next((_rms(tensor) for tensor in _tensors(result)), math.nan)
        if before is None or before.normalized or before.weight is None:
            return Signal(weight, rms=rms)
        if before.activation is None:
            # A linear map after a linear map is a chain too; only what meets an activation is ever judged.
            return Signal(weight, trail=before.links(), rms=rms)
        return Signal(weight, trail=before.links(), rms=rms)

    def _activated(self, signal: Signal, key: str) -> Signal:
        if signal.weight is None or signal.activation is not None:
            return signal
        return Signal(signal.weight, key, signal.trail, normalized=signal.normalized, rms=signal.rms)

    def _end(self, incoming: list[Signal]) -> Signal:
        """The chains that arrive where something normalizes, adds or multiplies them end there."""
        for signal in incoming:
            if signal.weight is not None and signal.activation is not None:
                self.chains.append(signal.links())
            elif signal.trail:
                self.chains.append(signal.trail)
        return MIXED


def _is_view(function: Any) -> bool:
    return any(r.alias_info is not None and not r.alias_info.is_write for r in function._schema.returns)


def _after_input(args: tuple[Any, ...]) -> list[object]:
    return [value for value in args[1:] if not isinstance(value, torch.Tensor)]


def _key(tensor: torch.Tensor) -> int | None:
    try:
        return tensor.untyped_storage()._cdata
    except (NotImplementedError, RuntimeError):  # sparse and fake tensors have no storage
        return None


def _rms(tensor: torch.Tensor) -> float:
    if not tensor.is_floating_point() or tensor.numel() == 0:
        return math.nan
    return float(tensor.detach().double().square().mean().sqrt())


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in _tensors(item)]
    if isinstance(value, dict):
        return [tensor for item in value.values() for tensor in _tensors(item)]
    return []
