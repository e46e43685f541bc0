"""Initialization schemes in closed form: the distribution of a call, and the schemes of a distribution.

Both observers and the rules share this catalogue. It knows formulas and shapes, never tensors: no torch, no numpy.
Parameters are named as in ``torch.nn.init``, and each scheme's function is named as there, without the underscore.
"""

from __future__ import annotations

from initaudit.schemes.calls import distribution_of
from initaudit.schemes.distribution import Distribution
from initaudit.schemes.gains import calculate_gain
from initaudit.schemes.recognition import Recognition, describe, recognise
from initaudit.schemes.weights import Convention, Fans, Geometry, Shape, fans

__all__ = [
    "Convention",
    "Distribution",
    "Fans",
    "Geometry",
    "Recognition",
    "Shape",
    "calculate_gain",
    "describe",
    "distribution_of",
    "fans",
    "recognise",
]
