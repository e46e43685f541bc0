"""Writes of weights that are computed from other parameters: the next forward computes them again."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initaudit.analyzer.project import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.snippets import dotted
from initaudit.analyzer.syntax.context import Context, method, own_attribute
from initaudit.analyzer.syntax.structure import DERIVES, Attribute, Layer, below, constructed
from initaudit.analyzer.syntax.walks import Walk, applied, tested, walked, written
from initaudit.finding import Observer
from initaudit.subjects.lost_writes import DerivedWrite

KNOWS = ("weight_g", "weight_v", "weight_norm", "parametriz", "original")
"""Words of a function that knows what a weight is computed from."""


@reads(DerivedWrite, scope=Context, words="apply(")
@reads(DerivedWrite, scope=Context, words=("weight", "_("), nearby="weight_norm( spectral_norm( orthogonal(")
def derived_writes(context: Context) -> Iterator[DerivedWrite]:
    """Initializers that reach layers whose weight is derived: handed to ``apply``, or called on it here."""
    body = context.function.body if context.function is not None else context.snippet.body
    yield from _of_variables(context, body)
    if context.cls is None:
        return
    structure: dict[str, Attribute] | None = None
    for call in context.calls():
        walk = applied(context, call) if isinstance(call.func, ast.Attribute) and call.func.attr == "apply" else None
        attribute = _written_here(context, call)
        if (walk is None or not walk.writes) and attribute is None:
            continue
        structure = structure if structure is not None else constructed(context.project, context.cls)
        if walk is not None:
            yield from _by_walk(context, call, walk, structure)
        elif attribute in structure and _before(context, structure[attribute], call):
            layers = [each for each in structure[attribute].layers if each.depth == 0]
            if layers and all(each.derived for each in layers):
                yield _fact(context, call, layers[0], f"self.{attribute}.weight")


def _of_variables(context: Context, body: Sequence[ast.stmt]) -> Iterator[DerivedWrite]:
    """Writes of ``layer.weight`` behind ``layer = weight_norm(layer)``, in one body."""
    derived: dict[str, Layer] = {}
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=function)):
                by = context.canonical(function)
                derived.pop(name, None)
                if by in DERIVES:
                    derived[name] = Layer("", dotted(function), derived=by)
            case ast.Expr(value=ast.Call(func=function, args=[ast.Name(id=name), *_])) if (
                context.canonical(function) in DERIVES
            ):
                derived[name] = Layer("", dotted(function), derived=context.canonical(function))
            case ast.Expr(value=ast.Call() as call):
                target = written(context, call)
                owner = dotted(target.value) if isinstance(target, ast.Attribute) and target.attr == "weight" else ""
                if owner in derived:
                    yield _fact(context, call, derived[owner], f"{owner}.weight")
            case _:
                derived = {} if not isinstance(statement, ast.Assign | ast.AnnAssign | ast.Import) else derived


def _written_here(context: Context, call: ast.Call) -> str | None:
    """The attribute of ``self`` whose weight a call writes in place."""
    target = written(context, call)
    if isinstance(target, ast.Attribute) and target.attr == "weight":
        return own_attribute(target.value)
    return None


def _before(context: Context, attribute: Attribute, call: ast.Call) -> bool:
    """Whether an attribute has got all of its layers when a call runs; methods run after the constructor."""
    is_constructor = context.function is not None and context.function.name == "__init__"
    return not is_constructor or max(attribute.rows, default=0) < context.snippet.place(call).row


def _by_walk(context: Context, call: ast.Call, walk: Walk, structure: dict[str, Attribute]) -> Iterator[DerivedWrite]:
    assert isinstance(call.func, ast.Attribute)
    text = walk.context.module.slice(walk.context.definition) if walk.context.definition is not None else ""
    if any(word in text for word in KNOWS):
        return
    model = call.func.value
    name = own_attribute(model)
    held = structure.values() if dotted(model) == "self" else [structure[name]] if name in structure else []
    seen: set[Defined] = set()
    layers = [each for one in held if _before(context, one, call) for each in below(context.project, one.layers, seen)]
    layers += _derived_before(context, call) if dotted(model) == "self" else []
    for write in walk.writes:
        reached = [each for each in layers if each.derived is not None and write.meant_for(context, each)]
        if write.attribute == "weight" and reached:
            same_file = walk.context.module is context.module
            node = write.node if same_file else call
            yield _fact(walk.context if same_file else context, node, reached[0], f"{walk.element}.weight")


def _derived_before(context: Context, call: ast.Call) -> list[Layer]:
    """The kinds of layers that the constructor derives by walks over the object, before it comes to a call.

    That stands in the constructor itself, or in a method that it calls.
    """
    name = context.function.name if context.function is not None else ""
    constructor = context if name == "__init__" else method(context, "__init__")
    found: list[Layer] = []
    if constructor is None or constructor.function is None:
        return found
    for statement in constructor.function.body:
        if any(
            node is call or (isinstance(node, ast.Call) and own_attribute(node.func) == name)
            for node in ast.walk(statement)
        ):
            return found
        for walk in walked(constructor, statement):
            found += _derived(walk.context, walk.body, walk.element, ())
    return []


def _derived(context: Context, body: list[ast.stmt], element: str, kinds: tuple[str, ...]) -> Iterator[Layer]:
    """The kinds of layers whose weight a body derives from other parameters."""
    for statement in body:
        match statement:
            case ast.If(test=test, body=then, orelse=otherwise):
                yield from _derived(context, then, element, tested(context, test, element) or kinds)
                yield from _derived(context, otherwise, element, kinds)
            case ast.Expr(value=ast.Call(func=function, args=[ast.Name(id=name), *_])) if name == element:
                by = context.canonical(function)
                if by in DERIVES:
                    yield from (Layer(kind, dotted(function), derived=by) for kind in kinds)
            case _:
                pass


def _fact(context: Context, node: ast.Call, layer: Layer, target: str) -> DerivedWrite:
    assert layer.derived is not None
    return DerivedWrite(
        observer=Observer.ANALYZER,
        place=context.snippet.place(node),
        target=target,
        layer=layer.kind,
        by=layer.derived,
    )
