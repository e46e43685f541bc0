"""A parameter that is registered under a second name, beside the one that it has."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.unread import is_unread
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
                    unread=is_unread(context.cls, name),
                )
