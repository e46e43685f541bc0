"""What the body of a class gives its objects, beside methods."""

from __future__ import annotations

import ast

from initaudit.analyzer.project.names import Defined, Project


def assigned_in(cls: Defined) -> dict[str, ast.expr]:
    """Return the values that the body of a class assigns to names."""
    memory, key = cls.module.memory, (__name__, cls.definition.row)
    if key not in memory:
        snippet = cls.module.quiet_snippet(cls.definition.start, cls.definition.end)
        body = snippet.body[0] if snippet is not None and snippet.body else None
        memory[key] = {
            target.id: value
            for node in (body.body if isinstance(body, ast.ClassDef) else ())
            if isinstance(node, ast.Assign | ast.AnnAssign) and (value := node.value) is not None
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
    found: dict[str, ast.expr] = memory[key]
    return found


def gives(project: Project, cls: Defined, name: str) -> bool:
    """Whether an object of a class has an attribute that nobody sets, or may have; torch's own modules have none."""
    bases = project.mro(cls)
    if bases is None or any(not isinstance(each, Defined) and each.name != "torch.nn.Module" for each in bases):
        return True
    own = [each for each in bases if isinstance(each, Defined)]
    names = {name, "__getattr__", "__getattribute__"}
    return any(name in assigned_in(each) or not names.isdisjoint(each.definition.members) for each in own)
