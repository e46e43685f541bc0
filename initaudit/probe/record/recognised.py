"""The initialization of a tensor, in words and as schemes, from the record of its memory."""

from __future__ import annotations

from initaudit.probe.record.records import Record, Written
from initaudit.schemes import Distribution, Recognition, describe, recognise
from initaudit.schemes.weights import Shape
from initaudit.timeline import Values

RANDOM = ("normal", "uniform", "truncated_normal", "orthogonal")
PLAIN = ("init.uniform_", "init.normal_")
"""Calls with which torch's own layers draw what has no scheme's name, whatever closed form it happens to have."""
DEFAULT = "torch's default"


def scheme_of(record: Record | None, shape: Shape, values: Values | None) -> str | None:
    """The initialization in words: "xavier_normal, gain 1", "normal(0, 0.02); zeros in parts"."""
    if record is None:
        return None
    whole, parts = record.layers()
    base = _of_write(whole) if whole is not None else _of_allocation(record, shape, values, written=bool(parts))
    named = dict.fromkeys(_of_write(part) for part in parts)
    return "; ".join(part for part in (base, f"{', '.join(named)} in parts" if named else None) if part) or None


def schemes_of(record: Record | None, shape: Shape) -> tuple[tuple[Recognition, ...], Written | None]:
    """Every scheme that the draw of all elements has the closed form of, and the write that drew them."""
    if record is None:
        return (), None
    whole, parts = record.layers()
    if whole is not None:
        return _recognised(whole.distribution, whole.shape, whole.by), whole
    if not parts:
        return _recognised(record.distribution, shape, None), None
    found = [_recognised(part.distribution, part.shape, part.by) for part in parts]
    alike = {tuple(one.scheme for one in each) for each in found}
    return (found[0] if len(alike) == 1 else ()), parts[-1]


def _recognised(distribution: Distribution | None, shape: Shape, by: str | None) -> tuple[Recognition, ...]:
    return recognise(distribution, shape, by) if distribution is not None else ()


def _of_write(write: Written) -> str:
    distribution = write.distribution
    if distribution is None:
        return write.copied or write.by
    if not write.caused.resets or distribution.family not in RANDOM:
        return describe(distribution, write.shape, write.by)
    text = describe(distribution, None if write.by in PLAIN else write.shape, write.by)
    return text if text.endswith(DEFAULT) else f"{text}, {DEFAULT}"


def _of_allocation(record: Record, shape: Shape, values: Values | None, *, written: bool) -> str | None:
    if record.distribution is not None:
        return describe(record.distribution, shape)
    if record.raw and written:
        return None
    if values is not None and values.min is not None and values.min == values.max and not values.nan + values.inf:
        return describe(Distribution(family="constant", mean=values.min, std=0.0), shape)
    return "written unseen" if record.raw else record.call
