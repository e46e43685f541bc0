"""The activation catalogue: what each nonlinearity does to the scale of a signal, and the names torch has for it.

It knows names and numbers, never tensors: no torch, no numpy.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence

import msgspec

from initaudit.schemes.gains import calculate_gain


class Family(enum.Enum):
    """How an activation treats the two halves of its input."""

    RECTIFIER = "rectifier"  # passes one half of its input, drops or damps the other
    SMOOTH_RECTIFIER = "smooth rectifier"  # the same, with a bend instead of a corner
    SATURATING = "saturating"  # bounded on both sides, nearly linear between
    LINEAR = "linear"  # passes everything on
    NORMALIZING = "normalizing"  # sets the scale of its output itself


class Activation(msgspec.Struct, frozen=True, kw_only=True):
    """One nonlinearity.

    ``module`` is its class in ``torch.nn``, ``functions`` are its names in ``torch.nn.functional``, in ``torch``, on a
    tensor and among the operators of ATen. ``gain`` is what ``calculate_gain`` returns for it, None where it raises.
    """

    key: str
    module: str
    functions: tuple[str, ...]
    family: Family
    gain: float | None

    @property
    def rectifier(self) -> bool:
        """Whether Xavier's derivation fails for it and Kaiming's was made for it."""
        return self.family is Family.RECTIFIER


def _activation(key: str, module: str, family: Family, functions: tuple[str, ...] = ()) -> Activation:
    try:
        gain: float | None = calculate_gain(key)
    except ValueError:
        gain = None
    return Activation(key=key, module=module, functions=(key, *functions), family=family, gain=gain)


CATALOGUE: dict[str, Activation] = {
    activation.key: activation
    for activation in (
        _activation("relu", "ReLU", Family.RECTIFIER),
        _activation("relu6", "ReLU6", Family.RECTIFIER),
        _activation("leaky_relu", "LeakyReLU", Family.RECTIFIER),
        _activation("prelu", "PReLU", Family.RECTIFIER, ("_prelu_kernel",)),
        _activation("rrelu", "RReLU", Family.RECTIFIER, ("rrelu_with_noise",)),
        _activation("threshold", "Threshold", Family.RECTIFIER),
        _activation("gelu", "GELU", Family.SMOOTH_RECTIFIER),
        _activation("silu", "SiLU", Family.SMOOTH_RECTIFIER),
        _activation("mish", "Mish", Family.SMOOTH_RECTIFIER),
        _activation("hardswish", "Hardswish", Family.SMOOTH_RECTIFIER),
        _activation("elu", "ELU", Family.SMOOTH_RECTIFIER),
        _activation("celu", "CELU", Family.SMOOTH_RECTIFIER),
        _activation("softplus", "Softplus", Family.SMOOTH_RECTIFIER),
        _activation("selu", "SELU", Family.NORMALIZING),
        _activation("softmax", "Softmax", Family.NORMALIZING, ("_softmax",)),
        _activation("log_softmax", "LogSoftmax", Family.NORMALIZING, ("_log_softmax",)),
        _activation("tanh", "Tanh", Family.SATURATING),
        _activation("sigmoid", "Sigmoid", Family.SATURATING, ("expit",)),
        _activation("logsigmoid", "LogSigmoid", Family.SMOOTH_RECTIFIER, ("log_sigmoid_forward",)),
        _activation("hardsigmoid", "Hardsigmoid", Family.SATURATING),
        _activation("hardtanh", "Hardtanh", Family.SATURATING),
        _activation("softsign", "Softsign", Family.SATURATING),
        _activation("linear", "Identity", Family.LINEAR),
    )
}

MODULE_OWNERS = frozenset({"", "nn", "torch.nn"})
FUNCTION_OWNERS = frozenset(
    {"", "F", "functional", "nn.functional", "torch.nn.functional", "torch", "torch.special", "Tensor", "aten"}
)

_MODULES = {activation.module: activation for activation in CATALOGUE.values()}
_FUNCTIONS = {name: activation for activation in CATALOGUE.values() for name in activation.functions}
del _FUNCTIONS["linear"]  # torch.nn.functional.linear multiplies by a weight


def lookup(name: str, arguments: Sequence[object] = ()) -> Activation | None:
    """The activation that a canonical name stands for ("torch.nn.ReLU", "F.relu_", "aten.relu.default").

    ATen has no operator of their own for some activations; ``arguments``, those after the input, tell them apart.
    """
    owner, _, last = name.removesuffix(".default").rpartition(".")
    if owner in MODULE_OWNERS and last in _MODULES:
        return _MODULES[last]
    if owner not in FUNCTION_OWNERS:
        return None
    return _disguised(last.removesuffix("_"), arguments) or _FUNCTIONS.get(last.removesuffix("_"))


def _disguised(operator: str, arguments: Sequence[object]) -> Activation | None:
    """SELU, which runs as a scaled ELU, and ReLU6, which runs as a hardtanh from 0 to 6."""
    match operator, tuple(arguments):
        case "elu", (_, float(scale), *_) if not math.isclose(scale, 1.0):
            return CATALOGUE["selu"]
        case "hardtanh", (float(low) | int(low), *_) if low == 0:
            return CATALOGUE["relu6"]
    return None
