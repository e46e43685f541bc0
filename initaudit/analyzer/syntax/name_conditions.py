"""The conditions on the way to a statement, held against the name of a parameter that a loop binds."""

from __future__ import annotations

import ast

from initaudit.analyzer.syntax.meaning import Step


def reaches(step: Step, name: str) -> bool:
    """Whether a loop over named parameters comes to a statement with the parameter of this name."""
    if not step.conditions:
        return True
    target = step.rounds[0].target if step.rounds and not isinstance(step.rounds[0], ast.While) else None
    if not isinstance(target, ast.Tuple) or not isinstance(target.elts[0], ast.Name):
        return False
    asked = target.elts[0].id
    return all(_says_of(test, asked, name) is holds for test, holds in step.conditions)


def _says_of(test: ast.expr, asked: str, name: str) -> bool | None:
    """Whether a condition holds where a variable is some name; None where it asks for something else."""
    match test:
        case ast.BoolOp(op=op, values=values):
            parts = [_says_of(value, asked, name) for value in values]
            if None in parts:
                return None
            return any(parts) if isinstance(op, ast.Or) else all(parts)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            part = _says_of(inner, asked, name)
            return None if part is None else not part
        case ast.Compare(left=ast.Constant(value=str(text)), ops=[op], comparators=[ast.Name(id=variable)]):
            if variable == asked and isinstance(op, ast.In | ast.NotIn):
                return (text in name) is isinstance(op, ast.In)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=variable), attr="startswith" | "endswith" as way)):
            if variable == asked and len(test.args) == 1 and isinstance(test.args[0], ast.Constant):
                text = str(test.args[0].value)
                return name.startswith(text) if way == "startswith" else name.endswith(text)
    return None
