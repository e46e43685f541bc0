"""The schemes themselves: one short function each, from a shape and the arguments torch takes to a distribution.

A function that needs fans raises ValueError where the shape does not give them.
"""

from __future__ import annotations

import math

from initaudit.schemes.distribution import Distribution
from initaudit.schemes.gains import TORCH_DEFAULT_SLOPE, calculate_gain
from initaudit.schemes.weights import Fans, Shape, fans, longer_side


def normal(shape: Shape, mean: float = 0.0, std: float = 1.0) -> Distribution:
    """N(mean, std^2)."""
    if std < 0:
        raise ValueError("a standard deviation is not negative")
    return Distribution(family="normal", mean=float(mean), std=float(std))


def uniform(shape: Shape, a: float = 0.0, b: float = 1.0) -> Distribution:
    """U(a, b): mean (a + b) / 2, std (b - a) / sqrt(12)."""
    if a > b:
        raise ValueError("the bounds of a uniform distribution are in order")
    low, high = float(a), float(b)
    return Distribution(family="uniform", mean=(low + high) / 2, std=(high - low) / math.sqrt(12), low=low, high=high)


def trunc_normal(shape: Shape, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Distribution:
    """N(mean, std^2), redrawn until within [a, b]: absolute bounds, not multiples of std."""
    return Distribution(family="truncated_normal", mean=float(mean), std=float(std), low=float(a), high=float(b))


def constant(shape: Shape, val: float) -> Distribution:
    """Every element is ``val``."""
    return Distribution(family="constant", mean=float(val), std=0.0)


def zeros(shape: Shape) -> Distribution:
    """Every element is 0."""
    return constant(shape, 0.0)


def ones(shape: Shape) -> Distribution:
    """Every element is 1."""
    return constant(shape, 1.0)


def eye(shape: Shape) -> Distribution:
    """The identity matrix, as far as the shape allows."""
    return Distribution(family="identity")


def dirac(shape: Shape, groups: int = 1) -> Distribution:
    """The convolution that passes its input on, in each group."""
    return Distribution(family="dirac")


def sparse(shape: Shape, sparsity: float, std: float = 0.01) -> Distribution:
    """N(0, std^2), with a fraction ``sparsity`` of each column set to zero.

    Martens 2010, Deep learning via Hessian-free optimization.
    """
    return Distribution(family="sparse", mean=0.0, std=std * math.sqrt(1 - sparsity))


def orthogonal(shape: Shape, gain: float = 1.0) -> Distribution:
    """W^T W = gain^2 I for the matrix (out, everything else): an element has std gain / sqrt(the longer side).

    Saxe, McClelland & Ganguli 2014, Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks.
    """
    return Distribution(family="orthogonal", mean=0.0, std=abs(gain) / math.sqrt(longer_side(shape)))


def xavier_normal(shape: Shape, gain: float = 1.0) -> Distribution:
    """N(0, gain^2 * 2 / (fan_in + fan_out)).

    Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks.
    """
    return normal(shape, 0.0, abs(gain) * xavier_std(fans(shape)))


def xavier_uniform(shape: Shape, gain: float = 1.0) -> Distribution:
    """U(-b, b), b = gain * sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010)."""
    return _centred_uniform(shape, gain * xavier_std(fans(shape)))


def kaiming_normal(
    shape: Shape, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Distribution:
    """N(0, gain^2 / fan), gain^2 = 2 for ReLU and 2 / (1 + a^2) for LeakyReLU(a).

    He, Zhang, Ren & Sun 2015, Delving deep into rectifiers.
    """
    return normal(shape, 0.0, calculate_gain(nonlinearity, float(a)) / math.sqrt(_fan(shape, mode)))


def kaiming_uniform(
    shape: Shape, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Distribution:
    """U(-b, b), b = gain * sqrt(3 / fan) (He et al. 2015)."""
    return _centred_uniform(shape, calculate_gain(nonlinearity, float(a)) / math.sqrt(_fan(shape, mode)))


def lecun_normal(shape: Shape) -> Distribution:
    """N(0, 1 / fan_in): LeCun et al. 1998, Efficient backprop; for SELU, Klambauer et al. 2017."""
    return normal(shape, 0.0, 1 / math.sqrt(fans(shape).fan_in))


def lecun_uniform(shape: Shape) -> Distribution:
    """U(-b, b), b = sqrt(3 / fan_in) (LeCun et al. 1998)."""
    return _centred_uniform(shape, 1 / math.sqrt(fans(shape).fan_in))


def torch_default(shape: Shape) -> Distribution:
    """What torch's Linear and Conv start from: kaiming_uniform, a = sqrt(5); that is U(-b, b), b = 1 / sqrt(fan_in)."""
    return kaiming_uniform(shape, a=TORCH_DEFAULT_SLOPE)


def siren(shape: Shape, *, first: bool = False, omega: float = 30.0) -> Distribution:
    """U(-b, b), b = 1 / fan_in in the first layer, sqrt(6 / fan_in) / omega in the others.

    Sitzmann et al. 2020, Implicit neural representations with periodic activation functions.
    """
    fan_in = fans(shape).fan_in
    bound = 1 / fan_in if first else math.sqrt(6 / fan_in) / omega
    return uniform(shape, -bound, bound)


def xavier_std(fan: Fans) -> float:
    """The standard deviation of Xavier's scheme with gain 1."""
    return math.sqrt(2 / (fan.fan_in + fan.fan_out))


def _fan(shape: Shape, mode: str) -> float:
    both = fans(shape)
    modes = {"fan_in": both.fan_in, "fan_out": both.fan_out}
    if mode.lower() not in modes:
        raise ValueError(f"{mode} is neither fan_in nor fan_out")
    return modes[mode.lower()]


def _centred_uniform(shape: Shape, std: float) -> Distribution:
    bound = math.sqrt(3) * std
    return uniform(shape, -bound, bound)
