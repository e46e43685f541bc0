"""What stands in the zoo: an architecture with its arguments and inputs, and what is right to say of a broken one.

A name and a factory, its arguments, the sizes of its inputs, and for the broken the codes of the rules that are right.
"""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

FLAT, TOKENS, SMALL, IMAGE = ("32,64",), ("32,12",), ("32,3,16,16",), ("32,3,32,32",)
SERIES = ("32,10,32",)


class Specimen(NamedTuple):
    name: str
    factory: str
    kwargs: dict[str, Any]
    sizes: tuple[str, ...]
    dtype: str | None
    codes: frozenset[str]  # of the rules that are right about it; empty for a healthy one
    third: bool = False  # whether it was written after all thresholds

    @property
    def broken(self) -> bool:
        return bool(self.codes)

    @property
    def part(self) -> str:
        """Which part it belongs to: of the older ones, the name alone decides; thresholds know the first only."""
        aside = zlib.crc32(self.name.encode()) % 3 == 0
        return "new third" if self.third else "held aside" if aside else "calibration"


def healthy(
    name: str, factory: str, sizes: tuple[str, ...] = FLAT, dtype: str | None = None, **kwargs: Any
) -> Specimen:
    return Specimen(name, factory, kwargs, sizes, dtype, frozenset())


def broken(
    name: str, codes: str, factory: str, sizes: tuple[str, ...] = FLAT, dtype: str | None = None, **kwargs: Any
) -> Specimen:
    return Specimen(name, factory, kwargs, sizes, dtype, frozenset(codes.split()))


MLP, CNN, RES, GPT = "plain:MLP", "plain:Convolutions", "vision:ResNet", "sequence:GPT"
