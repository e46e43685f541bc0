"""The parts of a file that are looked at one by one."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.analyzer.outline import Definition
from initaudit.analyzer.project import Module


def units(module: Module) -> Iterator[tuple[Definition | None, int, int]]:
    """The functions of a file that are not inside functions, and the stretches of top-level code."""
    for definition in module.outline.definitions:
        if not definition.is_class and not _inside_function(definition):
            yield definition, definition.start, definition.end
    for start, end in module.outline.top_level:
        yield None, start, end


def _inside_function(definition: Definition) -> bool:
    parent = definition.parent
    return parent is not None and (not parent.is_class or _inside_function(parent))
