"""The parts of a file that are looked at one by one."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from initaudit.analyzer.module import Module
from initaudit.analyzer.outline import Definition


class Unit(NamedTuple):
    """A function that is not inside a function, or a stretch of top-level code, which has no definition."""

    start: int
    end: int
    definition: Definition | None


def units(module: Module) -> Sequence[Unit]:
    """The parts of a file, in its order."""
    found = [
        Unit(definition.start, definition.end, definition)
        for definition in module.outline.definitions
        if not definition.is_class and not _inside_function(definition)
    ]
    found += [Unit(start, end, None) for start, end in module.outline.top_level]
    return sorted(found, key=lambda unit: unit.start)


def units_at(units: Sequence[Unit], rows: Iterable[int] | None) -> Sequence[Unit]:
    """Those parts that one of some rows lies in, each once and in order; all of them when the rows are not known."""
    if rows is None:
        return units
    starts = [unit.start for unit in units]
    found = sorted({bisect.bisect_right(starts, row) - 1 for row in rows} - {-1})
    return [units[index] for index in found]


def _inside_function(definition: Definition) -> bool:
    parent = definition.parent
    return parent is not None and (not parent.is_class or _inside_function(parent))
