"""The parts of a file that are looked at one by one, and what of them may hold something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from initaudit.analyzer.matches import Words
from initaudit.analyzer.module import Module
from initaudit.analyzer.outline import Definition


class Scope(NamedTuple):
    """A function that is not inside a function, or a stretch of top-level code, which has no definition."""

    start: int
    end: int
    definition: Definition | None


def scopes(module: Module) -> Sequence[Scope]:
    """Return the parts of a file, in its order."""
    found = [
        Scope(definition.start, definition.end, definition)
        for definition in module.outline.definitions
        if not definition.is_class and not _inside_function(definition)
    ]
    found += [Scope(start, end, None) for start, end in module.outline.top_level]
    return sorted(found, key=lambda scope: scope.start)


def scopes_holding(module: Module, words: Words) -> Iterator[Scope]:
    """Yield the parts of a file in which one word of each group stands."""
    if module.words.holds_all(words):
        for scope in scopes(module):
            if module.matches(scope.start, scope.end).holds_all(words):
                yield scope


def _inside_function(definition: Definition) -> bool:
    parent = definition.parent
    return parent is not None and (not parent.is_class or _inside_function(parent))
