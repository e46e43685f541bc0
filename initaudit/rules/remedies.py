"""Which call of `nn.init` keeps the scale of a signal, by the layout of the weight and the activation. Not a rule itself."""

from __future__ import annotations

import math
from typing import Any

from initaudit.activations import CATALOGUE, Activation, Family
from initaudit.schemes import calculate_gain, fans
from initaudit.timeline import Layer, Setting

LEAKY = ("leaky_relu", "prelu", "rrelu")


def call_for(layer: Layer) -> tuple[str, dict[str, Any]]:
    """Return the initializer for a weight and its arguments, for the activation that follows.

    torch's schemes are for matrices and kernels; they count the fans of a spectral, stacked or shared weight wrongly.
    """
    if layer.setting is not None:
        return _set_by(layer, layer.setting)
    mode = mode_of(layer)
    if mode is not None:
        return scheme_before(layer.activation, mode)
    return "normal_", {"std": rounded(gain_before(layer.activation) / math.sqrt(max(1, layer.fan_in)))}


def _set_by(layer: Layer, setting: Setting) -> tuple[str, dict[str, Any]]:
    """Return the call for the parameter that sets the scale of a computed weight, which is proportional to it."""
    wanted = gain_before(layer.activation) / math.sqrt(max(1, layer.fan_in))
    if setting.weight > 0 and math.isfinite(setting.parameter / setting.weight):
        wanted *= setting.parameter / setting.weight
    return ("constant_", {"val": rounded(wanted)}) if setting.gain else ("normal_", {"std": rounded(wanted)})


def mode_of(layer: Layer) -> str | None:
    """Return the fan of torch's initializers that equals the fan-in of a layer; None if neither does."""
    if len(layer.shape) != 2 and not layer.convolution:
        return None
    counted = fans(layer.shape)
    if counted.fan_in == layer.fan_in or layer.convolution:
        return "fan_in"
    return "fan_out" if counted.fan_out == layer.fan_in else None


def scheme_before(activation: str | None, mode: str) -> tuple[str, dict[str, Any]]:
    """Return the scheme that keeps the scale of a signal before an activation, for a weight that torch's schemes are for."""
    known = _known(activation)
    kaiming: dict[str, Any] = {"mode": mode} if mode == "fan_out" else {}
    if known.key in LEAKY:
        return "kaiming_normal_", {**kaiming, "nonlinearity": "leaky_relu"}
    if known.family in (Family.RECTIFIER, Family.SMOOTH_RECTIFIER):
        return "kaiming_normal_", {**kaiming, "nonlinearity": "relu"}
    if known.key == "selu":
        return "kaiming_normal_", {**kaiming, "nonlinearity": "linear"}
    return "xavier_normal_", {"gain_for": "tanh"} if known.key == "tanh" else {}


def gain_before(activation: str | None) -> float:
    """Return the gain for an activation: the factor of the standard deviation of the weight before it."""
    known = _known(activation)
    rectified = known.family in (Family.RECTIFIER, Family.SMOOTH_RECTIFIER)
    return math.sqrt(2) if rectified else calculate_gain("tanh") if known.key == "tanh" else 1.0


def rounded(number: float) -> float:
    """Round to three significant digits."""
    return float(f"{number:.3g}")


def _known(activation: str | None) -> Activation:
    return CATALOGUE.get(activation or "linear", CATALOGUE["linear"])
