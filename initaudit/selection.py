"""Which rules run: what "ALL", "INI1", "correctness", "INI101" and "uninitialized-parameter" mean.

Later layers (flags) override earlier ones (a configuration); within a layer the more specific selector wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from initaudit.finding import Category
from initaudit.rules.base import AnyRule, Default
from initaudit.settings import nearest


class SelectionError(Exception):
    """A selector that names no rule."""


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """What one source of settings says: ``select`` None keeps what was selected before."""

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


def select(rules: Mapping[str, AnyRule], layers: Iterable[Layer], *, preview: bool = False) -> frozenset[str]:
    """The codes that run."""
    selected = {code for code, rule in rules.items() if runs_unasked(rule, preview=preview)}
    for layer in layers:
        if layer.select is not None:
            selected = set()
        wanted = [(selector, True) for selector in (*(layer.select or ()), *layer.extend_select)]
        unwanted = [(selector, False) for selector in layer.ignore]
        for selector, include in sorted(wanted + unwanted, key=lambda item: (specificity(item[0], rules), not item[1])):
            codes = matching(selector, rules, preview=preview or not include)
            selected = selected | codes if include else selected - codes
    return frozenset(selected)


def runs_unasked(rule: AnyRule, *, preview: bool) -> bool:
    """Whether a rule runs when nothing is selected."""
    return rule.default is Default.ON or (preview and rule.default is Default.PREVIEW)


def matching(selector: str, rules: Mapping[str, AnyRule], *, preview: bool = True) -> frozenset[str]:
    """The codes a selector names; raises SelectionError when it names none.

    A preview rule is named by its own code or name, or by a wider selector together with ``preview``.
    """
    if exact := {code for code, rule in rules.items() if selector.upper() == code or selector.lower() == rule.name}:
        return frozenset(exact)
    wide = {code: rule for code, rule in rules.items() if _covers(selector, rule)}
    if not wide:
        raise SelectionError(f"unknown rule `{selector}`; {nearest(selector, _selectors(rules))}")
    return frozenset(code for code, rule in wide.items() if preview or rule.default is not Default.PREVIEW)


def specificity(selector: str, rules: Mapping[str, AnyRule]) -> int:
    """0 for ALL, then categories, then prefixes by their length, then a single rule."""
    if selector.upper() == "ALL":
        return 0
    if selector.lower() in {category.value for category in Category}:
        return 1
    names_one = selector.upper() in rules or any(rule.name == selector.lower() for rule in rules.values())
    return 100 if names_one else 1 + len(selector)


def _covers(selector: str, rule: AnyRule) -> bool:
    return (
        selector.upper() == "ALL"
        or selector.lower() == rule.category.value
        or (selector.upper().startswith("INI") and rule.code.startswith(selector.upper()))
    )


def _selectors(rules: Mapping[str, AnyRule]) -> Iterator[str]:
    """Every selector that is worth suggesting."""
    yield "ALL"
    yield from (category.value for category in Category)
    for code, rule in rules.items():
        yield code
        yield rule.name
