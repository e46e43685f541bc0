"""What the callers of a constructor pass: whether an argument that nothing else tells of is an integer."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.file.module import Module
from initaudit.analyzer.programs.constructor import Construction
from initaudit.analyzer.programs.graph import modules_naming
from initaudit.analyzer.project.names import Defined, External, Global, Project
from initaudit.analyzer.source.snippets import FunctionNode, dotted, last_name, nodes, parameters
from initaudit.analyzer.syntax.context import own_attribute
from initaudit.analyzer.syntax.functions import own_nodes

SIZED = frozenset({"Linear", "Embedding", "Conv1d", "Conv2d", "Conv3d", "GRU", "LSTM", "GRUCell", "LSTMCell"})
"""Layers of torch whose first two arguments are integers."""

SHAPED = frozenset({"view", "reshape", "expand", "repeat", "unflatten", "new_zeros", "new_ones", "new_empty"})
"""Methods of a tensor that take the sizes of a shape, one after another."""


def passes_integer(construction: Construction, name: str) -> bool:
    """Whether a call of the class passes an integer for this parameter of its constructor."""
    project, cls = construction.run.project, construction.cls
    position = _position(project, cls, name)
    if position is None:
        return False
    for module in modules_naming(project, cls):
        for call, sizes in _calls(project, module, cls.definition.name):
            passed = [keyword.value for keyword in call.keywords if keyword.arg == name] or call.args[position:][:1]
            starred = any(isinstance(argument, ast.Starred) for argument in call.args[: position + 1])
            if passed and not starred and _is_integer(project, module, passed[0], sizes):
                return True
    return False


def keeps_size(construction: Construction, name: str) -> bool:
    """Whether the class keeps a parameter of its constructor, and some method uses it among the sizes of a shape."""
    project, cls = construction.run.project, construction.cls
    methods = [found[1] for each in project.methods(cls) if (found := each.module.function(each.definition))]
    kept = {target for method in methods if method.name == "__init__" for target in _keeping(method, name)}
    return any(_is_size(node, attribute) for attribute in kept for method in methods for node in nodes(method))


def _keeping(constructor: FunctionNode, name: str) -> Iterator[str]:
    """The attributes of the object that are a parameter of its constructor."""
    for statement in constructor.body:
        match statement:
            case ast.Assign(targets=[target], value=ast.Name(id=given)) if given == name:
                yield from [kept] if (kept := own_attribute(target)) is not None else []


def _is_size(node: ast.AST, attribute: str) -> bool:
    """Whether a node is a call that takes an attribute of the object as one of several sizes of a shape."""
    match node:
        case ast.Call(func=ast.Attribute(attr=called), args=[*sizes]) if called in SHAPED and len(sizes) > 1:
            return any(own_attribute(each) == attribute for each in sizes)
    return False


def _position(project: Project, cls: Defined, name: str) -> int | None:
    """The place of a parameter among the positional arguments of the constructor."""
    method = project.method(cls, "__init__")
    found = method.module.function(method.definition) if isinstance(method, Defined) else None
    names = [each.arg for each in parameters(found[1])] if found is not None else []
    return names.index(name) - 1 if name in names[1:] else None


def _calls(project: Project, module: Module, name: str) -> Iterator[tuple[ast.Call, frozenset[str]]]:
    """The calls of a class by its name, and the parameters of the function around each that are sizes."""
    for start, end in module.parts_naming(name):
        found = module.quiet_snippet(start, end)
        inner: dict[ast.AST, frozenset[str]] = {}
        for node in found.nodes if found is not None else ():
            if isinstance(node, FunctionNode):
                inner |= dict.fromkeys(nodes(node), _sizes(project, module, node))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield node, inner.get(node, frozenset())


def _sizes(project: Project, module: Module, function: FunctionNode) -> frozenset[str]:
    """The parameters of a function that it says are integers, or gives a layer of torch as a size.

    None that is bound again, or whose type is tested.
    """
    given = {each.arg for each in parameters(function)}
    sizes = {each.arg for each in parameters(function) if getattr(each.annotation, "id", None) == "int"}
    for node in own_nodes(function):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                given.discard(name)
            case ast.Call(func=ast.Name("isinstance"), args=[ast.Name(id=name), _]):
                given.discard(name)
            case ast.Call(func=called, args=[*args]) if last_name(called) in SIZED:
                found = project.resolve(module, dotted(called))
                if isinstance(found, External) and found.name == f"torch.nn.{dotted(called).rpartition('.')[2]}":
                    sizes |= {each.id for each in args[:2] if isinstance(each, ast.Name)}
    return frozenset(sizes & given)


def _is_integer(project: Project, module: Module, node: ast.expr, sizes: frozenset[str] = frozenset()) -> bool:
    """Whether an expression is plainly an integer: a number or size, arithmetic of such, or a constant of a module."""
    match node:
        case ast.Constant(value=value):
            return type(value) is int
        case ast.UnaryOp(operand=operand):
            return _is_integer(project, module, operand, sizes)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.FloorDiv() | ast.Pow(), right=right):
            return all(_is_integer(project, module, each, sizes) for each in (left, right))
        case ast.Name(id=name) if name in sizes:
            return True
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
