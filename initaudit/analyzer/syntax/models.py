"""Whether an expression is known to be a model: other trees have ``modules()`` and ``children()`` too."""

from __future__ import annotations

import ast
import re

from initaudit.analyzer.snippets import dotted, nodes
from initaudit.analyzer.syntax.code import Code
from initaudit.analyzer.syntax.uses import MODEL_LIKE


def is_model(code: Code, model: ast.expr, loop: ast.For | ast.AsyncFor) -> bool:
    """Whether a name, a type, an assignment or the loop's own type tests say that a model is iterated."""
    name = dotted(model)
    root, _, rest = name.partition(".")
    if MODEL_LIKE.search(name):
        return True
    if root == "self":
        return code.cls is not None and code.project.is_module_class(code.cls)
    if root and not rest and (_annotated(code, root) or _assigned(code, root)):
        return True
    if isinstance(model, ast.Call):
        return code.is_module_class(model.func)
    return _tests_module_types(code, loop)


def _annotated(code: Code, name: str) -> bool:
    """Whether a parameter of the function is annotated with a class of modules."""
    return any(
        code.is_module_class(inner)
        for node in code.walk()
        if isinstance(node, ast.arg) and node.arg == name and node.annotation is not None
        for inner in nodes(node.annotation)
    )


def _assigned(code: Code, name: str) -> bool:
    """Whether the file assigns an object of a module class to the name."""
    calls = re.findall(rf"^[ \t]*{re.escape(name)}\s*(?::[^=\n]+)?=\s*([\w.]+)\(", code.module.text, re.MULTILINE)
    return any(code.is_module_class(ast.parse(call, mode="eval").body) for call in calls if _is_dotted(call))


def _is_dotted(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _tests_module_types(code: Code, loop: ast.For | ast.AsyncFor) -> bool:
    """Whether the body asks ``isinstance(m, nn.Linear)``."""
    return any(
        code.is_module_class(kind)
        for statement in loop.body
        for node in nodes(statement)
        if isinstance(node, ast.Call) and dotted(node.func) == "isinstance" and len(node.args) == 2
        for kind in nodes(node.args[1])
    )
