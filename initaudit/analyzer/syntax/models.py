"""Whether an expression is known to be a model: other trees have ``modules()`` and ``children()`` too."""

from __future__ import annotations

import re

import libcst as cst

from initaudit.analyzer.fragments import dotted
from initaudit.analyzer.syntax.statements import Unit, is_module_class, nodes
from initaudit.analyzer.syntax.uses import MODEL_LIKE


def is_model(unit: Unit, model: cst.BaseExpression, loop: cst.For) -> bool:
    """Whether a name, a type, an assignment or the loop's own type tests say that a model is iterated."""
    name = dotted(model)
    root, _, rest = name.partition(".")
    if MODEL_LIKE.search(name):
        return True
    if root == "self":
        return unit.cls is not None and unit.project.is_module_class(unit.cls)
    if root and not rest and (_annotated(unit, root) or _assigned(unit, root)):
        return True
    if isinstance(model, cst.Call):
        return is_module_class(unit, model.func)
    return _tests_module_types(unit, loop)


def _annotated(unit: Unit, name: str) -> bool:
    """Whether a parameter of the function is annotated with a class of modules."""
    for node in nodes(unit.fragment.tree):
        if isinstance(node, cst.Param) and node.name.value == name and node.annotation is not None:
            return any(is_module_class(unit, inner) for inner in nodes(node.annotation) if _is_dotted(inner))
    return False


def _is_dotted(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Name | cst.Attribute)


def _assigned(unit: Unit, name: str) -> bool:
    """Whether the file assigns an object of a module class to the name."""
    calls = re.findall(rf"^[ \t]*{re.escape(name)}\s*(?::[^=\n]+)?=\s*([\w.]+)\(", unit.module.text, re.MULTILINE)
    return any(is_module_class(unit, cst.parse_expression(call)) for call in calls if not call.startswith("."))


def _tests_module_types(unit: Unit, loop: cst.For) -> bool:
    """Whether the body asks ``isinstance(m, nn.Linear)``."""
    return any(
        is_module_class(unit, kind)
        for node in nodes(loop.body)
        if isinstance(node, cst.Call) and dotted(node.func) == "isinstance" and len(node.args) == 2
        for kind in nodes(node.args[1].value)
    )
