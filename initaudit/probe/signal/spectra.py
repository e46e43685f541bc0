"""Fourier coefficients: how large what they are of is beside them, and their products with filters."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from initaudit.probe.record.storages import key_of
from initaudit.probe.signal.measure import rms_of
from initaudit.probe.signal.operators import COPIES

TRANSFORMS = frozenset({"_fft_r2c", "_fft_c2c"})


def filters(name: str, operands: Sequence[torch.Tensor]) -> bool:
    """Whether an operator multiplies coefficients one by one, which sums over positions as a convolution does."""
    return name == "mul" and len(operands) == 2 and all(one.is_complex() for one in operands)


class Spectra:
    """Follows coefficients from the transform that makes them, which may be normalized or not."""

    def __init__(self) -> None:
        self._scales: dict[int, float] = {}

    def take_in(self, name: str, operands: Sequence[torch.Tensor], results: Sequence[torch.Tensor]) -> None:
        """Note a transform, or a copy of what one gave."""
        if name in TRANSFORMS:
            before, after = rms_of(operands[0]), rms_of(results[0])
            if before > 0 and after > 0:
                self._scales[key_of(results[0]) or 0] = before / after
        elif name in COPIES and operands and (known := self._scales.get(key_of(operands[0]) or 0)) is not None:
            self._scales[key_of(results[0]) or 0] = known

    def scale(self, tensor: torch.Tensor) -> float:
        """Return the rms of what was transformed, in parts of that of its coefficients; 1.0 if these are none."""
        return self._scales.get(key_of(tensor) or 0, 1.0) if tensor.is_complex() else 1.0
