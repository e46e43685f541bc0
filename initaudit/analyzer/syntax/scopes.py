"""The scopes of a file that are read one by one, and the selection of those that may hold a subject."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from initaudit.analyzer.file.matches import Spread, Words
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Definition


class Scope(NamedTuple):
    """A function that is not inside a function, or a stretch of top-level code, which has no definition."""

    start: int
    end: int
    definition: Definition | None


REMEMBERED = 64
"""Files of which is kept where which words stand."""


def scopes(module: Module) -> Sequence[Scope]:
    """Return the parts of a file, in its order."""
    return _spread(module)[0]


def holding(module: Module, words: Words, among: int | None = None) -> int:
    """The parts of a file in which one word of each group stands: a number with a bit for each part, see ``Spread``."""
    parts, spread = _spread(module)
    among = spread.everywhere if among is None else among
    return spread.holding_all(words, among, lambda at: module.matches(parts[at].start, parts[at].end))


def scopes_holding(module: Module, words: Words) -> Iterator[Scope]:
    """Yield the parts of a file in which one word of each group stands."""
    found, parts = holding(module, words), scopes(module)
    while found:
        yield parts[(found & -found).bit_length() - 1]
        found &= found - 1


@functools.lru_cache(maxsize=REMEMBERED)
def _spread(module: Module) -> tuple[Sequence[Scope], Spread]:
    """The parts of a file, and which of them hold which words, as far as that was asked."""
    parts = _parts(module)
    return parts, Spread(module.text, [(module.begin(part.start), module.begin(part.end + 1)) for part in parts])


def _parts(module: Module) -> Sequence[Scope]:
    found = [
        Scope(definition.start, definition.end, definition)
        for definition in module.outline.definitions
        if not definition.is_class and not _inside_function(definition)
    ]
    found += [Scope(start, end, None) for start, end in module.outline.top_level]
    return sorted(found, key=lambda scope: scope.start)


def _inside_function(definition: Definition) -> bool:
    parent = definition.parent
    return parent is not None and (not parent.is_class or _inside_function(parent))
