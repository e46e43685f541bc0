"""Attributes of a module that its forward reads, and that nothing may write."""

from __future__ import annotations

import ast

from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.syntax.context import Context, methods, own_attribute
from initaudit.analyzer.syntax.elsewhere import spoken_of_elsewhere
from initaudit.analyzer.syntax.tensor_uses import is_harmless, is_read


def first_read(
    project: Project, cls: Defined, name: str, given: ast.AST | None = None, *, built: bool = False
) -> tuple[Context, ast.AST] | None:
    """Return where a forward computes with an attribute, if no other code of the project may write it.

    ``given`` is the target of the assignment that gives it; what is ``built`` counts as it is behind the constructor.
    """
    every = [
        each for each in methods(project, cls) if not (built and each.function and each.function.name == "__init__")
    ]
    uses = [(each, node) for each in every for node in each.walk() if own_attribute(node) == name and node is not given]
    if not all(is_harmless(each, node) for each, node in uses) or spoken_of_elsewhere(project, cls, name):
        return None
    forward = ((each, node) for each, node in uses if _name(each) == "forward")
    return next((found for found in forward if is_read(*found)), None)


def _name(method: Context) -> str | None:
    return method.function.name if method.function is not None else None
