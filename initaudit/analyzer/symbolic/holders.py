"""Objects of the project that keep a tensor to read it, such as a sampler or a penalty of a weight."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from initaudit.analyzer.file.usage import OBJECT
from initaudit.analyzer.frameworks import KNOWN_BASES
from initaudit.analyzer.project.names import Defined, External, Project
from initaudit.analyzer.project.writing import REACHES, WRITES, functions
from initaudit.analyzer.source.snippets import dotted, inner_nodes
from initaudit.analyzer.symbolic.conditions import TRUE
from initaudit.analyzer.symbolic.values import Constant, Instance, Size, Symbol, Tensor, Value, leaves


def only_reads(project: Project, cls: Defined, given: Iterable[Value]) -> bool:
    """Whether an object that is given tensors does no more than read them, once it is built."""
    values = list(given)
    plain = all(isinstance(each, Tensor | Constant | Symbol | Size) for each in values)
    known = all(
        not isinstance(base, External) or base.name.startswith("torch.") or base.name in KNOWN_BASES
        for base in project.mro(cls) or (External("?"),)
    )
    if not plain or not known or not any(isinstance(each, Tensor) for each in values):
        return False
    return all(_reads(method) for method in project.methods(cls) if method.definition.name != "__init__")


def _reads(method: Defined) -> bool:
    """Whether a method neither writes anything nor gives what the object holds to code other than torch's."""
    words = method.module.matches(method.definition.start, method.definition.end)
    found = method.module.function(method.definition)
    if found is None or words.holds_all(WRITES) or not REACHES.isdisjoint(words.names_called):
        return False
    for node in found[0].nodes:
        if isinstance(node, ast.Call) and not method.module.absolute(dotted(node.func)).startswith("torch."):
            given = [*node.args, *(each.value for each in node.keywords)]
            if any(_is_own(inner) for each in given for inner in _within(each)):
                return False
    return True


def _is_own(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == OBJECT


def _within(node: ast.AST) -> Iterator[ast.AST]:
    """A node and what stands in it, without what inner calls are given: those are asked themselves."""
    yield node
    said = isinstance(node, ast.Call) or (isinstance(node, ast.Attribute) and node.attr in ("device", "dtype", "shape"))
    for inner in () if said else inner_nodes(node):
        yield from _within(inner)


def written_by_others(project: Project, instance: Instance, knowing: Iterable[Defined]) -> bool:
    """Whether code that knows one of some classes may write what an object keeps by the name that it has there."""
    names = [
        name
        for name, value in instance.attributes.items()
        if any(isinstance(each, Tensor) for _, each in leaves(value, TRUE))
    ]
    known = list(knowing)
    modules = [each.module for each in known]
    modules += filter(None, (project.load(file) for each in known for file in project.files_naming(each)))
    for module in dict.fromkeys(modules):
        for name in names:
            naming = {each.row for each in module.naming(name)}
            if any(each.row in naming for each in functions(module).that_may_write(name)):
                return True
    return False
