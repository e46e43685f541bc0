"""What gives a parameter the values that it starts with, where that is one thing, and nothing else writes it later."""

from __future__ import annotations

import ast

from initaudit.analyzer.programs.constructor import Construction, Registered
from initaudit.analyzer.programs.methods import forgotten_initializers
from initaudit.analyzer.programs.verdict import written_elsewhere
from initaudit.analyzer.symbolic.conditions import TRUE
from initaudit.analyzer.symbolic.values import Origin
from initaudit.schemes import Distribution, distribution_of
from initaudit.schemes.expressions import fold

Start = tuple[Origin, str, Distribution | None]
"""What a parameter's values come from: where, by which canonical call, and what they are drawn from."""
SCHEMES = ("xavier", "kaiming")


def start_of(found: Registered) -> Start | None:
    """What gives a parameter all of its values on every path, if that is one draw and known."""
    storage = found.storage
    if storage.escaped or storage.changed or found.loaded or found.condition != TRUE or storage.condition != TRUE:
        return None
    if not storage.writes:
        given = _numbers(storage.origin.node) if storage.origin is not None else ()
        distribution = None if storage.raw else distribution_of(storage.call, (), *given)
        if storage.factor is not None:
            number = (factor := fold(storage.factor)) and factor.number
            distribution = distribution.scaled(number) if distribution is not None and number else None
        return (storage.origin, storage.call, distribution) if storage.origin and distribution else None
    last = storage.writes[-1]
    scheme = last.by.removeprefix("init.").startswith(SCHEMES)
    if last.part is not None or last.condition != TRUE or (last.distribution is None and not scheme):
        return None
    return last.origin, last.by, last.distribution


def _numbers(node: ast.AST) -> tuple[list[object], dict[str, object]]:
    """The arguments of a factory that stand in the source as numbers, with None in the place of others."""
    if not isinstance(node, ast.Call):
        return [], {}
    named = {each.arg: each.value for each in node.keywords if each.arg in ("fill_value", "mean", "std")}
    plain = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    positional = node.args if plain in ("full", "full_like", "normal") else []
    return [_number(value) for value in positional], {name: _number(value) for name, value in named.items()}


def _number(node: ast.expr) -> float | None:
    folded = fold(ast.unparse(node))
    return folded.number if folded is not None else None


def is_final(construction: Construction, found: Registered, *, held: bool = False) -> bool:
    """Whether nobody else writes a trainable parameter once it is constructed.

    What is ``held`` by a model whose constructor cannot be followed may still be final.
    """
    escaped = found.storage.escaped
    return (
        not _is_frozen(construction, found)
        and next(forgotten_initializers(construction, found), None) is None
        and not written_elsewhere(construction, found)
        and not (escaped if held else found.storage.escaped)
    )


def _is_frozen(construction: Construction, found: Registered) -> bool:
    """Whether the code says that a parameter is not trained."""
    origin, switch = found.storage.origin, f"self.{found.name}.requires_grad"
    if origin is None or any(switch in each.dotted for each in construction.cls.module.usages("requires_grad")):
        return True
    made = (
        node
        for node in origin.snippet.nodes
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == f"self.{found.name}" for target in node.targets)
    )
    return any(
        isinstance(inner, ast.keyword)
        and inner.arg == "requires_grad"
        and not (isinstance(inner.value, ast.Constant) and inner.value.value is True)
        for node in made
        for inner in ast.walk(node)
    )
