"""The flow of a value through a function: the expressions around it, and the names bound to it."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator

from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.source.snippets import begin, end, last_name
from initaudit.analyzer.syntax.context import Context

NO_FORWARD = re.compile(r"init|reset|extra_repr|__repr__")
"""What stands in the names of methods that compute nothing a model gives."""


def computing(project: Project, cls: Defined) -> Iterator[Defined]:
    """The methods of a class that may compute what a model gives."""
    return (each for each in project.methods(cls) if not NO_FORWARD.search(each.definition.name))


class Flow:
    """A function: what stands around each node, and the statements that bind each local name."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.parents = context.snippet.parents
        self.assigned: dict[str, list[ast.AST]] = {}
        for node in context.walk():
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                by = self.parents[node]
                while isinstance(by, ast.Tuple | ast.List | ast.Starred):
                    by = self.parents[by]
                self.assigned.setdefault(node.id, []).append(by)

    def loads(self, name: str, assignment: ast.stmt) -> Iterator[ast.expr]:
        """Where a name may be read that an assignment has bound: up to the next one behind it that always runs."""
        last = min(
            (
                end(node)
                for node in self.assigned.get(name, ())
                if isinstance(node, ast.Assign | ast.AnnAssign)
                and self.parents.get(node) is self.parents.get(assignment)
                and begin(node) > begin(assignment)
            ),
            default=(math.inf, 0),
        )
        for node in self.context.walk():
            if isinstance(node, ast.Name) and node.id == name and end(assignment) < begin(node) <= last:
                read = isinstance(node.ctx, ast.Load) or isinstance(self.parents.get(node), ast.AugAssign)
                yield from [node] if read else []


def called(call: ast.Call) -> str:
    """The last name of what is called; of a layer that is made and called at once, that of the layer."""
    function = call.func.func if isinstance(call.func, ast.Call) else call.func
    return last_name(function)


def names_in(node: ast.expr) -> set[str]:
    """The local names in an expression."""
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)} - {"self"}
