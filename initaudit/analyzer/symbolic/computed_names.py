"""Attributes that are made and reached under names which are computed, and not known."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from initaudit.analyzer.symbolic.conditions import TRUE
from initaudit.analyzer.symbolic.run import Run
from initaudit.analyzer.symbolic.values import Memory, Storage, Symbol, Tensor, Value, leaves

REACHED = "reached by a name that is computed"
EACH = "each of "
"""What the text of an expression says before the iterable whose items a name stands for."""
_KNOWN = re.compile(r"[\w.]*")
_CONVERSION = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?[a-zA-Z]")
_FIELD = re.compile(r"\{[^{}]*\}")
_STARS = re.compile(r"\*+")
_FORMATTED = re.compile(r"f'([^{]*)\{.*\}([^}]*)'", re.DOTALL)


def is_computed(name: str) -> bool:
    """Whether the name of an attribute is the text of an expression."""
    return _KNOWN.fullmatch(name) is None


def shown(name: str) -> str:
    """Return a name as a pattern, with a star for what is computed: ``weight_*`` for ``f'weight_{i}'``."""
    if not is_computed(name):
        return name
    try:
        pattern = _pattern(ast.parse(name.replace(EACH, ""), mode="eval").body)
    except (SyntaxError, ValueError):  # also a name that is no text: a lone surrogate, a zero
        begin, end = _literal_ends(name)
        pattern = f"{begin}*{end}"
    return _STARS.sub("*", pattern)


def _pattern(node: ast.expr) -> str:
    """The literal parts of a text that is put together, with a star between them."""
    match node:
        case ast.Constant(value=value):
            return str(value)
        case ast.JoinedStr(values=values):
            return "".join(map(_pattern, values))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _pattern(left) + _pattern(right)
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod()):
            return _CONVERSION.sub("*", text)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            return _FIELD.sub("*", text)
    return "*"


def reached(run: Run, members: Iterable[tuple[str, Value]], name: str) -> Value:
    """What a computed name leads to, among the ``members`` of a module: the only one that it can be.

    Where it can be several tensors, it is a tensor over one of their memories. Where it may be no tensor at all, what
    is done with it may be done to any of them.
    """
    possible = [member for other, member in members if _may_be_same(name, other)]
    tensors = [member for member in possible if isinstance(member, Tensor)]
    if len(possible) == 1 and tensors:
        return tensors[0]
    if tensors and len(tensors) == len(possible):
        memories = [leaf for each in tensors for _, leaf in leaves(each.storage, TRUE) if isinstance(leaf, Memory)]
        storages = dict.fromkeys(memory.storage for memory in memories)
        return Tensor(Memory(Storage(None, REACHED, raw=False, possible=tuple(storages))))
    for tensor in tensors:
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
