"""A parameter that is registered under a second name, beside the one that it has."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.project import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.syntax.context import Context, own_attribute
from initaudit.subjects.lost_writes import RegisteredTwice


@reads(RegisteredTwice, scope=Context, words="register_parameter(")
def registered_twice(context: Context) -> Iterator[RegisteredTwice]:
    """``self.register_parameter("bias", self.weight)`` in the class that registers ``weight`` itself."""
    for call in context.calls():
        match call:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="self"), attr="register_parameter"),
                args=[ast.Constant(value=str(name)), value],
            ):
                other = own_attribute(value)
                if context.cls is None or other is None or other == name or not context.is_parameter(value):
                    continue
                yield RegisteredTwice(
                    place=context.snippet.place(call),
                    model=context.cls.qualname,
                    name=name,
                    other=other,
                    unread=_is_unread(context.cls, name),
                )


def _is_unread(cls: Defined, name: str) -> bool:
    """Whether a class has a forward, and neither it nor anything else in its file reads an attribute."""
    module = cls.module
    read = any(name in used.read for used in module.usages(name))
    snippets = (module.quiet_snippet(start, end) for start, end in module.parts_naming(name))
    taken = any(_takes(node, name) for snippet in snippets if snippet is not None for node in snippet.nodes)
    return "forward" in cls.definition.members and not read and not taken


def _takes(node: ast.AST, name: str) -> bool:
    """Whether a call takes an attribute by its name as a text."""
    match node:
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=text), *_]):
            return bool(text == name)
    return False
