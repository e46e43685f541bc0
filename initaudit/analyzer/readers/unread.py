"""Whether anything reads an attribute of a module."""

from __future__ import annotations

import ast

from initaudit.analyzer.programs.lookups import importing
from initaudit.analyzer.project.names import Defined, External, Project
from initaudit.analyzer.source.snippets import nodes

ALL = {"parameters", "named_parameters", "_parameters", "state_dict", "__dict__", "vars", "getattr", "functional_call"}
"""Names by which a class takes its parameters without their names."""
PLAIN = {"object", "torch.nn.Module"}
"""Bases that read no parameter."""


def is_unread(cls: Defined, name: str) -> bool:
    """Whether a class has a forward, and neither it nor anything else in its file reads an attribute."""
    module = cls.module
    read = any(name in used.read for used in module.usages(name))
    snippets = (module.quiet_snippet(start, end) for start, end in module.parts_naming(name))
    taken = any(_takes(node, name) for snippet in snippets if snippet is not None for node in snippet.nodes)
    return "forward" in cls.definition.members and not read and not taken


def is_unread_anywhere(project: Project, cls: Defined, name: str) -> bool:
    """Whether nothing reads an attribute, in any file of a class, of its bases, or that imports one of these."""
    order = project.mro(cls)
    if order is None or any(isinstance(base, External) and base.name not in PLAIN for base in order):
        return False
    own = [base for base in order if isinstance(base, Defined)]
    if not is_unread(cls, name) or any(_takes_all(project, base) for base in own):
        return False
    files = {file for base in own for file in importing(project, base.module)}
    return not any(name in used.read for file in files for used in file.usages(name))


def _takes(node: ast.AST, name: str) -> bool:
    """Whether a call takes an attribute by its name as a text."""
    match node:
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=text), *_]):
            return bool(text == name)
    return False


def _takes_all(project: Project, cls: Defined) -> bool:
    """Whether a class may take parameters without their names."""
    found = (each.module.function(each.definition) for each in project.methods(cls))
    return any(
        (isinstance(node, ast.Name) and node.id in ALL) or (isinstance(node, ast.Attribute) and node.attr in ALL)
        for function in found
        if function is not None
        for node in nodes(function[1])
    )
