"""What the callers of a constructor pass: whether an argument that nothing else tells of is an integer."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.constructor import Construction
from initaudit.analyzer.module import Module
from initaudit.analyzer.programs.graph import modules_naming
from initaudit.analyzer.project import Defined, Global, Project
from initaudit.analyzer.snippets import parameters


def passes_integer(construction: Construction, name: str) -> bool:
    """Whether a call of the class passes an integer for this parameter of its constructor."""
    project, cls = construction.run.project, construction.cls
    position = _position(project, cls, name)
    if position is None:
        return False
    for module in modules_naming(project, cls):
        for call in _calls(module, cls.definition.name):
            passed = [keyword.value for keyword in call.keywords if keyword.arg == name] or call.args[position:][:1]
            starred = any(isinstance(argument, ast.Starred) for argument in call.args[: position + 1])
            if passed and not starred and _is_integer(project, module, passed[0]):
                return True
    return False


def _position(project: Project, cls: Defined, name: str) -> int | None:
    """The place of a parameter among the positional arguments of the constructor."""
    method = project.method(cls, "__init__")
    found = method.module.function(method.definition) if isinstance(method, Defined) else None
    names = [each.arg for each in parameters(found[1])] if found is not None else []
    return names.index(name) - 1 if name in names[1:] else None


def _calls(module: Module, name: str) -> Iterator[ast.Call]:
    """The calls of a class by its name."""
    for start, end in module.parts_naming(name):
        found = module.quiet_snippet(start, end)
        for node in found.nodes if found is not None else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield node


def _is_integer(project: Project, module: Module, node: ast.expr) -> bool:
    """Whether an expression is plainly an integer: a number, arithmetic of such, or a constant of a readable module."""
    match node:
        case ast.Constant(value=value):
            return type(value) is int
        case ast.UnaryOp(operand=operand):
            return _is_integer(project, module, operand)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.FloorDiv() | ast.Pow(), right=right):
            return _is_integer(project, module, left) and _is_integer(project, module, right)
        case ast.Name() | ast.Attribute():
            found = project.resolve(module, ast.unparse(node))
            return isinstance(found, Global) and _holds_integer(project, found)
    return False


def _holds_integer(project: Project, found: Global) -> bool:
    start, end = found.module.outline.globals[found.name]
    try:
        statement = ast.parse("\n".join(found.module.lines[start - 1 : end])).body[0]
    except (SyntaxError, ValueError, IndexError):
        return False
    value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    return value is not None and not isinstance(value, ast.Name) and _is_integer(project, found.module, value)
