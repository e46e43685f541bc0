"""Constructors that give a module layers or parameters before ``nn.Module`` can keep them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import FunctionNode
from initaudit.analyzer.syntax.context import Context, own_attribute
from initaudit.subjects.registration import UninitializedBase

REGISTERS = {"register_buffer", "register_parameter", "register_module", "add_module"}
OTHER_WAYS = {"__new__", "__setattr__", "__init_subclass__"}
"""Methods of a class by which its objects may be ready without a call in the constructor."""


@reads(UninitializedBase, scope=Context, words="self", nearby="Module", named="__init__")
def uninitialized_bases(context: Context) -> Iterator[UninitializedBase]:
    """``self.fc = nn.Linear(8, 8)`` in a constructor that calls no other, or does so behind it."""
    function, cls = context.function, context.cls
    if function is None or cls is None or function.name != "__init__" or not context.project.is_module_class(cls):
        return
    for node in _nodes(function.body):
        foreign = _foreign(context, cls, node)
        if foreign:
            yield UninitializedBase(
                place=context.snippet.place(node),
                model=cls.definition.name,
                source=context.snippet.source(node),
                foreign=foreign,
            )
            return
    for node in _nodes(_before_base(context, cls, function)):
        if registers(context, node):
            later = any(map(_runs_constructor, function.body))
            yield UninitializedBase(
                place=context.snippet.place(node),
                model=cls.definition.name,
                source=context.snippet.source(node),
                later=later,
            )
            return


def _foreign(context: Context, cls: Defined, node: ast.AST) -> str:
    """The class that a statement gives ``super`` with the object, if the class of that does not derive from it."""
    match node:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(
                    value=ast.Call(
                        func=ast.Name(id="super"), args=[ast.Name(id=name) as other, ast.Name(id="self")], keywords=[]
                    )
                )
            )
        ):
            found, order = context.resolve(other), context.project.mro(cls)
        case _:
            return ""
    if not isinstance(found, Defined) or not found.definition.is_class or order is None:
        return ""
    own = {each.definition.name for each in order if isinstance(each, Defined)}
    theirs = {each.definition.name for each in context.project.mro(found) or (cls,) if isinstance(each, Defined)}
    return name if name not in own and cls.definition.name not in theirs else ""


def _before_base(context: Context, cls: Defined, function: FunctionNode) -> Sequence[ast.stmt]:
    """The statements of a constructor that surely run before, or without, the constructor of a base."""
    whole = context.module.quiet_snippet(cls.definition.start, cls.definition.end)
    header = whole.body[0] if whole is not None else None
    if not isinstance(header, ast.ClassDef) or header.decorator_list or header.keywords:
        return ()
    order = [each for each in context.project.mro(cls) or () if isinstance(each, Defined)]
    if any(not OTHER_WAYS.isdisjoint(each.definition.members) for each in order):
        return ()
    if any(map(_is_run_elsewhere, order)):
        return ()
    inside = [node for node in context.calls() if _is_constructor(node)]
    direct = [index for index, statement in enumerate(function.body) if _runs_constructor(statement)]
    if len(inside) == len(direct) <= 1:
        return function.body[: direct[0]] if direct else function.body
    return ()


def _runs_constructor(statement: ast.stmt) -> bool:
    """Whether a statement is a call of a constructor: ``super().__init__()``."""
    return isinstance(statement, ast.Expr) and _is_constructor(statement.value)


def _is_constructor(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "__init__"


def _is_run_elsewhere(cls: Defined) -> bool:
    """Whether a method other than the constructor of a class calls a constructor."""
    others = [each for each in cls.definition.members.values() if not each.is_class and each.name != "__init__"]
    return any(name.endswith("__init__") for each in others for name in cls.module.usage(each).called)


def _nodes(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """The statements of a body and of the blocks in it, but not of functions and of ``try``."""
    for statement in body:
        match statement:
            case (
                ast.If(body=inner, orelse=other)
                | ast.For(body=inner, orelse=other)
                | ast.While(body=inner, orelse=other)
            ):
                yield from _nodes([*inner, *other])
            case ast.With(body=inner):
                yield from _nodes(inner)
            case _:
                yield statement


def registers(context: Context, node: ast.AST) -> bool:
    """Whether a statement gives the object a layer, a parameter or a buffer."""
    match node:
        case ast.Assign(targets=[target], value=ast.Call() as made):
            return own_attribute(target) is not None and _is_made(context, made)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=called))):
            return called in REGISTERS
    return False


def _is_made(context: Context, made: ast.Call) -> bool:
    match made.func:
        case ast.Attribute(value=ast.Call() as inner, attr=moves) if moves in torch_api.RETURN_THE_MODULE:
            return _is_made(context, inner)
    return context.canonical(made.func) == "torch.nn.Parameter" or context.is_module_class(made.func)
