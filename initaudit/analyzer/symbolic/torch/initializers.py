"""``torch.nn.init``: what writes a tensor, and what computes gains and fans."""

from __future__ import annotations

from initaudit.analyzer.symbolic import arithmetic, tensors
from initaudit.analyzer.symbolic.conditions import FALSE
from initaudit.analyzer.symbolic.run import Run
from initaudit.analyzer.symbolic.torch.call import Call, Handler
from initaudit.analyzer.symbolic.values import NONE, UNKNOWN, Constant, Sequence, Symbol, Tensor, Value, text
from initaudit.schemes import calculate_gain

TWO_DIMENSIONAL = ("xavier_", "kaiming_", "orthogonal", "sparse")
"""What the names of initializers begin with that raise for tensors of fewer than two dimensions."""


def initialize(run: Run, call: Call) -> Value:
    """An initializer: it writes the tensor that it is given, and returns it."""
    named = {key: value for key, value in call.keywords.items() if key != "tensor"}
    tensor = call.argument(0, "tensor")
    by = call.name.removeprefix("torch.nn.")
    goes_on = False
    for leaf in run.alternatives(tensor):
        if isinstance(leaf, Tensor) and _raises(run, call, leaf):
            continue
        goes_on = True
        if isinstance(leaf, Tensor):
            distribution = tensors.drawn(by, leaf, call.args[1:], named)
            tensors.write(run, leaf, by, call.origin, distribution, _gain(call))
    if not goes_on and run.catching:
        run.condition = FALSE
        run.catching[-1] = True
    return tensor


def _raises(run: Run, call: Call, tensor: Tensor) -> bool:
    """Whether an initializer needs two dimensions, the tensor has fewer, and the code around catches the error."""
    shape = tensors.shape_like(tensor) if tensor.part is None else None
    return bool(run.catching) and shape is not None and len(shape) < 2 and call.short.startswith(TWO_DIMENSIONAL)


def _gain(call: Call) -> float | None:
    """The gain that an initializer of Xavier's or Kaiming's is given, which needs no shape."""

    def given(position: int, keyword: str, default: float | str) -> object:
        return tensors.plain(call.argument(position, keyword, Constant(default)))

    if call.short.startswith("xavier"):
        gain = given(1, "gain", 1.0)
        return float(gain) if isinstance(gain, int | float) else None
    slope, nonlinearity = given(1, "a", 0.0), given(3, "nonlinearity", "leaky_relu")
    if not call.short.startswith("kaiming") or not isinstance(slope, int | float) or not isinstance(nonlinearity, str):
        return None
    try:
        return calculate_gain(nonlinearity, float(slope))
    except ValueError:
        return None


def _calculated_gain(run: Run, call: Call) -> Value:
    if not call.args or not isinstance(call.args[0], Constant):
        return _symbol(run, call)
    try:
        return Constant(calculate_gain(str(call.args[0].value), arithmetic.number(call.argument(1, "param", NONE))))
    except ValueError:
        return UNKNOWN


def _fans(run: Run, call: Call) -> Value:
    of = text(call.args[0]) if call.args else "?"
    return Sequence([Symbol(f"fan_in({of})"), Symbol(f"fan_out({of})")], is_list=False)


def _symbol(run: Run, call: Call) -> Value:
    return Symbol(f"{call.short}({', '.join(map(text, call.args))})")


HANDLERS: dict[str, Handler] = {
    "torch.nn.init.calculate_gain": _calculated_gain,
    "torch.nn.init._calculate_fan_in_and_fan_out": _fans,
    "torch.nn.init._calculate_correct_fan": _symbol,
}
