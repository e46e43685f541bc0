"""What the output of a weight meets in a forward: functions, activations, normalizations."""

from __future__ import annotations

from initaudit.activations import lookup
from initaudit.analyzer.symbolic import tensors
from initaudit.analyzer.symbolic.run import Run
from initaudit.analyzer.symbolic.values import UNKNOWN, Signal, Tensor, Value


def apply(run: Run, name: str, args: list[Value]) -> Value:
    """Apply a function of torch to arguments of which one may be the output of a forward."""
    signal = next((arg for arg in args if isinstance(arg, Signal)), None)
    if signal is None:
        return tensors.computed(run, *args) if any(isinstance(arg, Tensor) for arg in args) else UNKNOWN
    return meet(run, signal, name)


def meet(run: Run, signal: Signal, name: str) -> Signal:
    """Return what becomes of a signal in a function or a module of this name."""
    lowered = name.lower().rstrip("_")
    if "norm" in lowered:
        return Signal(signal.weight, signal.activation, True)
    activation = lookup(name)
    if activation is not None and activation.key not in ("identity", "linear"):
        found = Signal(signal.weight, activation.key, signal.normalized, signal.trail)
        run.signals.append(found)
        return found
    return signal
