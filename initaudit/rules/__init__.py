"""The catalogue: every module of this folder that defines a rule. Nothing is registered by hand."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterable
from typing import cast

from initaudit.finding import Observer
from initaudit.observation import Question
from initaudit.rules.base import AnyRule, Rule


@functools.cache
def catalogue() -> dict[str, AnyRule]:
    """Return every rule by its code, sorted by code."""
    found: dict[str, AnyRule] = {}
    for entry in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{entry.name}")
        for _, value in inspect.getmembers(module, inspect.isclass):
            if issubclass(value, Rule) and value.__module__ == module.__name__ and hasattr(value, "code"):
                found[value.code] = cast("AnyRule", value())
    return dict(sorted(found.items()))


def questions(rules: Iterable[AnyRule], observer: Observer, *, preview: bool = True) -> frozenset[Question]:
    """Return the questions of some rules to one observer."""
    return frozenset(rule.question() for rule in rules if observer in rule.watched_by(preview=preview))
