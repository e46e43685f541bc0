"""Constructors that initialize only where they do not find themselves on the meta device."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import nodes
from initaudit.analyzer.syntax.context import Context, in_order, initializes, own_attribute
from initaudit.subjects.lost_on_meta import SkippedOnMeta


@reads(SkippedOnMeta, scope=Context, words="is_meta meta", nearby="empty(", named="__init__")
def skipped_on_meta(context: Context) -> Iterator[SkippedOnMeta]:
    """``if not self.proj.weight.is_meta: self.reset_parameters()`` where the class registers raw memory."""
    function, cls = context.function, context.cls
    if function is None or cls is None or not context.project.is_module_class(cls):
        return
    raw = tuple(_raw(context))
    for statement in in_order(function.body) if raw else ():
        if not isinstance(statement, ast.If) or statement.orelse:
            continue
        asked = _asked_for_meta(statement.test)
        if asked is None or asked in raw:
            continue  # where that buffer is real it is written, and so are the others, which a loader treats alike
        if any(map(initializes, statement.body)):
            yield SkippedOnMeta(
                place=context.snippet.place(statement.test),
                source=context.snippet.source(statement.test),
                model=cls.qualname,
                raw=raw,
            )


def _asked_for_meta(test: ast.expr) -> str | None:
    """The attribute that a test asks for: ``not self.x.is_meta``, ``self.x.device.type != "meta"``."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=ast.Attribute(attr="is_meta", value=asked)):
            pass
        case ast.Compare(left=asked, ops=[ast.NotEq()], comparators=[ast.Constant(value="meta")]):
            pass
        case ast.Compare(
            left=asked,
            ops=[ast.NotEq()],
            comparators=[ast.Call(func=ast.Attribute(attr="device"), args=[ast.Constant(value="meta")])],
        ):
            pass
        case _:
            return None
    names = [name for node in nodes(asked) if (name := own_attribute(node)) is not None]
    return names[0] if names else None


def _raw(context: Context) -> Iterator[str]:
    """The buffers that a constructor registers as raw memory: a loader that keeps them real does not fill them."""
    for node in context.walk():
        match node:
            case ast.Call(
                func=ast.Attribute(attr="register_buffer"), args=[ast.Constant(value=str(name)), ast.Call() as made, *_]
            ):
                if any(
                    isinstance(each, ast.Call) and context.canonical(each.func) in torch_api.RAW_FACTORIES
                    for each in nodes(made)
                ):
                    yield name
            case ast.Assign(targets=[target], value=ast.Call() as made) if (own := own_attribute(target)) is not None:
                called = context.canonical(made.func)
                if called == "torch.nn.Buffer" and any(
                    isinstance(each, ast.Call) and context.canonical(each.func) in torch_api.RAW_FACTORIES
                    for each in nodes(made)
                ):
                    yield own
