"""Tests of what is None, and of the mode of a module, that are the wrong way round."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import dotted, last_name
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.walks import written
from initaudit.subjects.module_tests import ConstantTest

DRAWS = "normal_( uniform_( xavier*( kaiming*( orthogonal*( constant_( zeros_( ones_( eye_( fill_( zero_("


@reads(ConstantTest, scope=Context, words=("None", DRAWS))
def of_nothing(context: Context) -> Iterator[ConstantTest]:
    """``if self.bias is None: nn.init.zeros_(self.bias)``: only what is not None can be initialized."""
    for node in context.walk():
        match node:
            case ast.If(test=ast.Compare(left=tested, ops=[ast.Is()], comparators=[ast.Constant(None)]) as test):
                name, drawn = dotted(tested), list(_drawn(context, node.body))
                if name and any(f"{each}.".startswith(f"{name}.") for each in drawn) and not _binds(node.body, name):
                    yield ConstantTest(
                        place=context.snippet.place(test),
                        source=context.snippet.source(test),
                        outcome="true for nothing",
                        why=f"`{name}` is initialized where it is None",
                        fixed=f"{name} is not None",
                        model=context.cls.qualname if context.cls is not None else None,
                        parameters=_own(drawn),
                    )


@reads(ConstantTest, scope=Context, words=("training", DRAWS), named="__init__")
def of_mode(context: Context) -> Iterator[ConstantTest]:
    """``if not self.training`` in a constructor, while which a module is in training mode."""
    if context.cls is None or not context.project.is_module_class(context.cls):
        return
    methods = {call.func.attr for call in context.calls() if isinstance(call.func, ast.Attribute)}
    if not methods.isdisjoint(("train", "eval")) or _binds(context.walk(), "self.training"):
        return
    for node in context.walk():
        match node:
            case ast.If(test=ast.UnaryOp(op=ast.Not(), operand=asked) as test, body=body):
                drawn = list(_drawn(context, body))
                if dotted(asked) == "self.training" and drawn:
                    yield ConstantTest(
                        place=context.snippet.place(test),
                        source=context.snippet.source(test),
                        outcome="never true",
                        why="a module is in training mode while its constructor runs",
                        model=context.cls.qualname,
                        parameters=_own(drawn),
                    )


def _drawn(context: Context, body: Sequence[ast.stmt]) -> Iterator[str]:
    """What a block initializes in place, by its name."""
    for call in (node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Call)):
        if (target := written(context, call)) is not None and dotted(target):
            yield dotted(target)


def _own(names: Iterable[str]) -> tuple[str, ...]:
    """Those of some names that are attributes of the object itself, without it."""
    return tuple(dict.fromkeys(name.removeprefix("self.") for name in names if name.startswith("self.")))


def _binds(body: Iterable[ast.AST], name: str) -> bool:
    """Whether code binds a name or an attribute, or registers one."""
    for node in (inner for each in body for inner in ast.walk(each)):
        match node:
            case ast.Name(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()) if dotted(node) == name:
                return True
            case ast.Call(func=called) if last_name(called) in ("setattr", "register_parameter", "register_buffer"):
                return True
    return False
