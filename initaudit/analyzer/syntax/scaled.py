"""Products by one over a square root: a forward that scales by them needs weights from N(0, 1)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.source.snippets import last_name
from initaudit.analyzer.syntax.context import Context, function_context, method, own_attribute
from initaudit.analyzer.syntax.flow import Flow, computing

TIMES, OVER = {"mul", "mul_", "multiply"}, {"div", "div_", "divide", "true_divide"}
MAX_NODES = 300


class Scaling(Flow):
    """A method, and what it makes smaller by a square root."""

    def shrinks(self, node: ast.AST | None) -> bool:
        """Whether something is a product by one over a square root, or a name that is given one."""
        match node:
            case ast.BinOp(op=ast.Mult(), left=left, right=right):
                return self._is_small(left) or self._is_small(right)
            case ast.BinOp(op=ast.Div(), right=factor) | ast.AugAssign(op=ast.Div(), value=factor):
                return self._is_root(factor)
            case ast.AugAssign(op=ast.Mult(), value=factor):
                return self._is_small(factor)
            case ast.Call(func=function, args=[*_, factor]) if last_name(function) in TIMES:
                return any(map(self._is_small, node.args))
            case ast.Call(func=function, args=[*_, factor]) if last_name(function) in OVER:
                return self._is_root(factor)
            case ast.Name(id=name):
                made = self.assigned.get(name, ())
                values = [each.value if isinstance(each, ast.Assign) else each for each in made]
                return any(not isinstance(value, ast.Name) and self.shrinks(value) for value in values)
        return False

    def shrinks_later(self, node: ast.expr) -> bool:
        """Whether what stands around a value, or reads the name that it is given, is such a product."""
        match parent := self.parents.get(node):
            case ast.Assign(targets=[ast.Name(id=name)]):
                loads = list(self.loads(name, parent))
                return any(self.shrinks(self.parents.get(load)) for load in loads)
            case ast.Attribute(value=value) if value is node and parent.attr in TIMES | OVER:
                return self.shrinks(self.parents.get(parent))
        return self.shrinks(parent)

    def _is_small(self, node: ast.expr) -> bool:
        """Whether a number is one over a square root, as far as the expressions show that make it."""
        made = list(self._made_of(node))
        return any(map(_takes_root, made)) and any(map(_divides, made))

    def _is_root(self, node: ast.expr) -> bool:
        """Whether a number is a square root, and not one over it."""
        made = list(self._made_of(node))
        return any(map(_takes_root, made)) and not any(map(_divides, made))

    def _made_of(self, node: ast.expr) -> Iterator[ast.AST]:
        """The nodes of a number: also those of what its names and attributes are given, here and in the constructor."""
        constructor = method(self.context, "__init__")
        pending: list[tuple[Context | None, ast.AST]] = [(self.context, node)]
        asked: set[tuple[bool, str]] = set()
        for _ in range(MAX_NODES):
            if not pending:
                return
            context, part = pending.pop()
            yield part
            pending += [(context, inner) for inner in ast.iter_child_nodes(part)]
            if (attribute := own_attribute(part)) is not None:
                key, where, made = (True, f"self.{attribute}"), constructor, given_to(constructor, attribute)
            elif isinstance(part, ast.Name):
                key, where = (context is constructor, part.id), context
                made = iter(context.assigned(part.id) if context is not None else ())
            else:
                continue
            if key not in asked:
                asked.add(key)
                pending += [(where, value) for value in made]


def is_scaled(context: Context, layer: str) -> bool:
    """Whether a method of the class shrinks what it gives a layer, the layer's weight or its output."""
    project, cls = context.project, context.cls
    return cls is not None and any(
        _scales(Scaling(found), layer)
        for defined in computing(project, cls)
        if layer in defined.module.slice(defined.definition)
        if (found := function_context(project, defined)) is not None
    )


def _scales(forward: Scaling, layer: str) -> bool:
    for node in forward.context.walk():
        if own_attribute(node) != layer:
            continue
        match parent := forward.parents.get(node):
            case ast.Call(func=function, args=arguments) if function is node:
                if any(map(forward.shrinks, arguments)) or forward.shrinks_later(parent):
                    return True
            case ast.Attribute(attr="weight"):
                if forward.shrinks_later(parent):
                    return True
    return False


def given_to(context: Context | None, attribute: str) -> Iterator[ast.expr]:
    """What a method assigns to an attribute of the object, or registers as a buffer of this name."""
    for node in context.walk() if context is not None else ():
        match node:
            case ast.Assign(targets=targets, value=value) if any(own_attribute(each) == attribute for each in targets):
                yield value
            case ast.AnnAssign(target=target, value=ast.expr() as value) if own_attribute(target) == attribute:
                yield value
            case ast.Call(func=ast.Attribute(attr="register_buffer"), args=[ast.Constant(value=name), value, *_]):
                if name == attribute:
                    yield value


def _takes_root(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=function):
            return last_name(function) in {"sqrt", "rsqrt"}
        case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=0.5) | ast.UnaryOp(operand=ast.Constant(value=0.5))):
            return True
    return False


def _divides(node: ast.AST) -> bool:
    match node:
        case ast.BinOp(op=ast.Div()) | ast.BinOp(op=ast.Pow(), right=ast.UnaryOp(op=ast.USub())):
            return True
        case ast.Call(func=function):
            return last_name(function) in {"rsqrt", "reciprocal"}
    return False
