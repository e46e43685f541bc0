"""Torch's other functions: on the output of a forward, in ``nn.utils``, and those of which nothing special is known."""

from __future__ import annotations

from initaudit.analyzer.symbolic import signals, tensors
from initaudit.analyzer.symbolic.run import Run
from initaudit.analyzer.symbolic.torch.call import Call, Handler
from initaudit.analyzer.symbolic.values import UNKNOWN, Instance, Signal, Symbol, Tensor, Value, text


def functional(run: Run, call: Call) -> Value:
    """``torch.nn.functional``."""
    return signals.apply(run, call.short, call.args)


def utility(run: Run, call: Call) -> Value:
    """``torch.nn.utils``: reparametrizations give their module back."""
    if call.short in ("weight_norm", "spectral_norm", "orthogonal", "register_parametrization", "remove_weight_norm"):
        return call.args[0] if call.args else UNKNOWN
    if call.short not in ("clip_grad_norm_", "clip_grad_value_", "parameters_to_vector", "is_parametrized"):
        for arg in call.args:
            run.escape(arg, f"passed to {call.name}")
    return UNKNOWN


def other(run: Run, call: Call) -> Value:
    """A function of which only is known what all of them do with tensors."""
    if call.args and isinstance(call.args[0], Signal):
        return signals.apply(run, call.short, call.args)
    if isinstance(out := call.keywords.get("out"), Tensor):
        return tensors.write(run, out, call.name, call.origin)
    if call.short.endswith("_"):
        for value in call.args:
            run.escape(value, f"passed to {call.name}")
        return UNKNOWN
    if any(isinstance(arg, Tensor) for arg in call.args):
        return tensors.computed(run, *call.args)
    instance = next((arg for arg in call.args if isinstance(arg, Instance)), None)
    return instance if instance is not None else Symbol(f"{call.name}({', '.join(map(text, call.args))})")


def _same(run: Run, call: Call) -> Value:
    """What gives back what it is given."""
    return call.args[0] if call.args else UNKNOWN


HANDLERS: dict[str, Handler] = dict.fromkeys(("torch.Size", "torch.Variable", "torch.autograd.Variable"), _same)
