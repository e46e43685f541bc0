"""Parameters that are made of another parameter of the same module, and so share its memory."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from initaudit.analyzer.file.usage import HOLDS
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import dotted
from initaudit.analyzer.syntax.context import Context, methods, own_attribute
from initaudit.analyzer.syntax.tensor_uses import is_true
from initaudit.subjects.registration import SharedMemory

VIEWS = {"detach", "t", "transpose", "permute", "view", "squeeze", "unsqueeze"}
"""Methods of a tensor whose result is over the same memory."""
VIEW_ATTRIBUTES = {"data", "T", "mT"}


@reads(SharedMemory, scope=Context, words="Parameter(", nearby="self")
def shared_memories(context: Context) -> Iterator[SharedMemory]:
    """``self.out.weight = nn.Parameter(self.embed.weight)``, where the module keeps both."""
    cls = context.cls
    if cls is None:
        return
    for node in context.walk():
        match node:
            case ast.Assign(
                targets=[ast.Attribute() as target],
                value=ast.Call(func=function, args=[data], keywords=keywords) as made,
            ) if context.canonical(function) == "torch.nn.Parameter" and all(is_true(each.value) for each in keywords):
                source, viewed = _viewed(data)
                if dotted(target).startswith("self.") and _is_kept(context, cls, source, target):
                    yield SharedMemory(
                        place=context.snippet.place(made),
                        model=cls.qualname,
                        target=dotted(target),
                        source=dotted(source),
                        viewed=viewed,
                    )
            case _:
                pass


def _viewed(data: ast.expr) -> tuple[ast.expr, bool]:
    """The tensor over whose memory an expression is, and whether it is seen in another shape."""
    match data:
        case ast.Attribute(value=owner, attr=name) if name in VIEW_ATTRIBUTES:
            source, viewed = _viewed(owner)
            return source, viewed or name != "data"
        case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in VIEWS:
            source, viewed = _viewed(owner)
            return source, viewed or name != "detach"
    return data, False


def _is_kept(context: Context, cls: Defined, source: ast.expr, target: ast.Attribute) -> bool:
    """Whether an expression is a parameter of the object, or of a layer that it is given once and keeps."""
    name = dotted(source)
    if not isinstance(source, ast.Attribute) or not context.is_parameter(source) or not name.startswith("self."):
        return False
    held, replaced = name.split(".")[1], dotted(target).split(".")[1]
    used = cls.module.usage(cls.definition)
    if held == replaced or not HOLDS.isdisjoint(used.names) or not context.project.is_module_class(cls):
        return False
    given: Counter[type[ast.expr_context]] = Counter()
    for method in methods(context.project, cls):
        for node in method.walk():
            if own_attribute(node) == held and isinstance(node, ast.Attribute):
                given[type(node.ctx)] += 1
            elif isinstance(node, ast.Attribute) and dotted(node) == name and not isinstance(node.ctx, ast.Load):
                return False
    return given[ast.Store] == 1 and not given[ast.Del]
