"""Attributes that are made and reached under names which are computed, and not known."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from initaudit.analyzer.symbolic.values import Symbol, Tensor, Value

if TYPE_CHECKING:
    from initaudit.analyzer.symbolic.interpreter import Interpreter

REACHED = "reached by a name that is computed"
_KNOWN = re.compile(r"[\w.]*")
_FORMATTED = re.compile(r"f'([^{]*)\{.*\}([^}]*)'", re.DOTALL)


def is_computed(name: str) -> bool:
    """Whether the name of an attribute is the text of an expression."""
    return _KNOWN.fullmatch(name) is None


def shown(name: str) -> str:
    """A name as a reader would write it: what is computed of it says nothing."""
    begin, end = _literal_ends(name)
    return f"{begin}{{...}}{end}" if is_computed(name) else name


def reached(run: Interpreter, known: Iterable[tuple[str, Tensor]], name: str) -> Value:
    """What a computed name leads to, among tensors that are ``known`` by names: the only one that it can be.

    Where it can be several, each of them may be written there.
    """
    possible = [tensor for other, tensor in known if _may_be_same(name, other)]
    if len(possible) == 1:
        return possible[0]
    for tensor in possible:
        run.escape(tensor, REACHED)
    return Symbol(name)


def _may_be_same(one: str, other: str) -> bool:
    """Whether two names can be the same, as far as their literal begins and ends tell."""
    (begin, end), (other_begin, other_end) = _literal_ends(one), _literal_ends(other)
    same_begin = begin.startswith(other_begin) or other_begin.startswith(begin)
    return same_begin and (end.endswith(other_end) or other_end.endswith(end))


def _literal_ends(name: str) -> tuple[str, str]:
    if not is_computed(name):
        return name, name
    formatted = _FORMATTED.fullmatch(name)
    return (formatted[1], formatted[2]) if formatted else ("", "")
