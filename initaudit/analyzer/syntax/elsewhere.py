"""What a project says of an attribute of a class outside of that class."""

from __future__ import annotations

import ast

from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.reading import Search
from initaudit.analyzer.file.usage import HOLDS
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.source.snippets import last_name
from initaudit.analyzer.syntax.context import Context

OF_OBJECTS = HOLDS | {"vars"}
"""Mappings whose keys are names of attributes."""
OF_LAYERS = {"weight", "bias"}
"""Attributes that torch's layers have too: only a file that names the class may mean its own."""


def is_read_anywhere(context: Context, name: str) -> bool:
    """Whether anything in the project of a file may read an attribute of a name."""
    naming = context.project.find(Search(context.module.project_folder, word=name.encode()))
    modules = (context.module, *map(context.project.load, naming))
    return any(module is None or module.reads(name) for module in modules)


def spoken_of_elsewhere(project: Project, cls: Defined, name: str) -> bool:
    """Whether other code of the project may use an attribute of a class.

    It names an attribute of some object so, has the name in a string, or is a class that derives from this one.
    """
    for filename in project.find(Search(cls.module.project_folder, word=name.encode())):
        module = project.load(filename)
        if module is None:
            return True
        if name in OF_LAYERS and not any(module.parts_naming(cls.definition.name)):
            continue
        for start, end in module.parts_naming(name):
            inside = module is cls.module and start <= cls.definition.start <= end
            usage = module.usage_of(start, end)
            derives = cls.definition.name in usage.names and name in usage.own
            if not inside and (
                usage.of_others(name) or derives or (name in usage.texts and _says(module, start, end, name))
            ):
                return True
    return False


def _says(module: Module, start: int, end: int, name: str) -> bool:
    """Whether code has a name as a text that may stand for an attribute, and not as the key of a mapping."""
    snippet = module.quiet_snippet(start, end)
    if snippet is None:
        return True
    said = (node for node in snippet.nodes if isinstance(node, ast.Constant) and node.value == name)
    return not all(_is_key(snippet.parents.get(node), node) for node in said)


def _is_key(around: ast.AST | None, node: ast.Constant) -> bool:
    """``config["depth"]``, ``config.get("depth", 3)`` and ``{"depth": 3}``, but not ``vars(net)["depth"]``."""
    match around:
        case ast.Dict(keys=keys):
            return node in keys
        case ast.Subscript(value=owner, slice=index) if index is node:
            pass
        case ast.Call(func=ast.Attribute(value=owner, attr="get" | "pop" | "setdefault"), args=[first, *_]) if (
            first is node
        ):
            pass
        case _:
            return False
    return last_name(owner.func if isinstance(owner, ast.Call) else owner) not in OF_OBJECTS
