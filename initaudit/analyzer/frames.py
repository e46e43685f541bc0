"""One call of a symbolic run, and what is asked of the names and functions in it."""

from __future__ import annotations

from dataclasses import dataclass, field

import libcst as cst

from initaudit.analyzer.conditions import Condition
from initaudit.analyzer.fragments import Fragment
from initaudit.analyzer.project import Defined, Module
from initaudit.analyzer.values import Origin, Value

MAX_DEPTH = 14


class OutOfBudgetError(Exception):
    """The run became too long to be worth finishing."""


@dataclass(slots=True)
class Frame:
    """One call: the module and slice its code stands in, its names, and what it has returned."""

    module: Module
    fragment: Fragment
    owner: Defined | None = None
    instance: Value | None = None
    names: dict[str, Value] = field(default_factory=dict)
    returned: list[tuple[Condition, Value]] = field(default_factory=list)
    called_from: Origin | None = None
    function: Defined | None = None


def dotted(node: cst.BaseExpression) -> str:
    """The text of a dotted name."""
    if isinstance(node, cst.Attribute):
        return f"{dotted(node.value)}.{node.attr.value}"
    return node.value if isinstance(node, cst.Name) else ""


def has_decorator(node: cst.FunctionDef, *names: str) -> bool:
    """Whether a function has a decorator whose last name is one of these."""
    for decorator in node.decorators:
        inner = decorator.decorator.func if isinstance(decorator.decorator, cst.Call) else decorator.decorator
        if dotted(inner).rpartition(".")[2] in names:
            return True
    return False
