"""Gains: the factor by which a weight compensates for the nonlinearity that follows."""

from __future__ import annotations

import math

import msgspec

LINEAR = frozenset({"linear", "sigmoid", *(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3))})
FIXED = {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
DEFAULT_SLOPE = 0.01
TORCH_DEFAULT_SLOPE = math.sqrt(5)
"""The ``a`` with which torch's Linear and Conv layers call ``kaiming_uniform_``."""


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """What ``torch.nn.init.calculate_gain`` returns; ValueError where torch has no gain (gelu, silu, ...).

    1 for linear and sigmoid, 5/3 for tanh, sqrt(2) for relu, sqrt(2 / (1 + slope^2)) for leaky_relu. For selu torch
    says 3/4, found empirically; the derivation (Klambauer et al. 2017) needs 1.
    """
    if nonlinearity in LINEAR:
        return 1.0
    if nonlinearity == "leaky_relu":
        slope = DEFAULT_SLOPE if param is None else param
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in FIXED:
        raise ValueError(f"torch has no gain for {nonlinearity}")
    return FIXED[nonlinearity]


class Gain(msgspec.Struct, frozen=True):
    """A gain to try in recognition: its value, its text, and the nonlinearity that it is meant for."""

    value: float
    text: str
    nonlinearity: str | None


def leaky(slope: float) -> Gain:
    """Return the gain for a LeakyReLU of this slope."""
    value = calculate_gain("leaky_relu", slope)
    return Gain(value, f"{value:.4g}", f"leaky_relu({slope:g})")


UNIT = Gain(1.0, "1", "linear")
RELU = Gain(math.sqrt(2), "sqrt(2)", "relu")
TORCH_DEFAULT = Gain(calculate_gain("leaky_relu", TORCH_DEFAULT_SLOPE), "1/sqrt(3)", "leaky_relu(sqrt(5))")
OTHERS = (
    Gain(5 / 3, "5/3", "tanh"),
    Gain(3 / 4, "3/4", "selu"),
    *(leaky(slope) for slope in (DEFAULT_SLOPE, 0.1, 0.2)),
    Gain(1 / math.sqrt(2), "1/sqrt(2)", None),
)
