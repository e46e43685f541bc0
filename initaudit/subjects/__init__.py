"""The kinds of subject that rules judge besides timelines and chains: one file for each family of facts.

Every class of this folder that derives from ``Fact`` is a kind of subject. Nothing is registered by hand.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING, Union

from initaudit.subjects.base import Fact


def _discovered() -> tuple[type[Fact], ...]:
    """Return every kind of fact, in the order of their names."""
    found: dict[str, type[Fact]] = {}
    for entry in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{entry.name}")
        for name, value in inspect.getmembers(module, inspect.isclass):
            if issubclass(value, Fact) and value.__module__ == module.__name__ and value is not Fact:
                found[name] = value
    return tuple(found[name] for name in sorted(found))


FACTS = _discovered()

if TYPE_CHECKING:
    AnyFact = Fact
else:
    AnyFact = Union[FACTS]  # noqa: UP007 - spelled out for msgspec, which decodes one of them by its tag
