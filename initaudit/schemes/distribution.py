"""Distributions of elements, independent of schemes and shapes."""

from __future__ import annotations

import math

import msgspec


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """The distribution of the elements of a write.

    ``family`` is "normal", "uniform", "truncated_normal", "constant", "orthogonal", "identity", "dirac" or "sparse".
    ``std`` is that of an element (for a truncated normal: before truncation), ``low`` and ``high`` the bounds of a
    uniform or truncated draw, ``mean`` its centre or the constant.
    """

    family: str
    mean: float | None = None
    std: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def actual_std(self) -> float | None:
        """The standard deviation of an element, including truncation."""
        if self.family != "truncated_normal" or not self.std:
            return self.std
        if self.mean is None or self.low is None or self.high is None:
            return None
        shrinkage = _truncated_std((self.low - self.mean) / self.std, (self.high - self.mean) / self.std)
        return None if shrinkage is None else self.std * shrinkage

    def scaled(self, factor: float) -> Distribution:
        """Return the distribution of ``factor * draw``."""
        ends = [None if end is None else end * factor for end in (self.low, self.high)]
        low, high = ends if factor >= 0 else reversed(ends)
        return Distribution(
            family=self.family,
            mean=None if self.mean is None else self.mean * factor,
            std=None if self.std is None else self.std * abs(factor),
            low=low,
            high=high,
        )

    def shifted(self, offset: float) -> Distribution:
        """Return the distribution of ``draw + offset``."""
        mean, low, high = (None if at is None else at + offset for at in (self.mean, self.low, self.high))
        return Distribution(family=self.family, mean=mean, std=self.std, low=low, high=high)


def _truncated_std(low: float, high: float) -> float | None:
    """The standard deviation of a standard normal that is redrawn until it lies between ``low`` and ``high``.

    None where the interval holds too little of the normal to be computed.
    """

    def density(x: float) -> float:
        return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)

    def moment(x: float) -> float:
        return x * density(x) if math.isfinite(x) else 0.0

    kept = (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
    if kept < 1e-9:
        return None
    mean = (density(low) - density(high)) / kept
    variance = 1 + (moment(low) - moment(high)) / kept - mean**2
    return math.sqrt(variance) if variance > 0 else None
