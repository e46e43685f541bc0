"""Initialization schemes in closed form."""

from __future__ import annotations

import msgspec


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """What a write draws from.

    ``family`` is "normal", "uniform", "truncated_normal", "constant", "orthogonal", ... ``std`` is that of an element (for a
    truncated normal: before truncation), ``low`` and ``high`` the bounds of a uniform or truncated draw, ``mean`` its centre or
    the constant.
    """

    family: str
    mean: float | None = None
    std: float | None = None
    low: float | None = None
    high: float | None = None
