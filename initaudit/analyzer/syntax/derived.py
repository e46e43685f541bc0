"""Writes of weights that are computed from other parameters: the next forward computes them again."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.project import Defined, Project
from initaudit.analyzer.snippets import dotted
from initaudit.analyzer.syntax.code import Code, own_attribute
from initaudit.analyzer.syntax.structure import Attribute, Layer, constructed
from initaudit.analyzer.syntax.walks import Walk, applied, written
from initaudit.finding import Observer
from initaudit.subjects.lost_writes import DerivedWrite

KNOWS = ("weight_g", "weight_v", "weight_norm", "parametriz", "original")
"""Words of a function that knows what a weight is computed from."""


def derived_writes(code: Code) -> Iterator[DerivedWrite]:
    """Initializers that reach layers whose weight is derived: handed to ``apply``, or called on it here."""
    if code.cls is None:
        return
    structure: dict[str, Attribute] | None = None
    for call in code.calls():
        walk = applied(code, call) if isinstance(call.func, ast.Attribute) and call.func.attr == "apply" else None
        attribute = _written_here(code, call)
        if (walk is None or not walk.writes) and attribute is None:
            continue
        structure = structure if structure is not None else constructed(code.project, code.cls)
        if walk is not None:
            yield from _by_walk(code, call, walk, structure)
        elif attribute in structure and _before(code, structure[attribute], call):
            layers = [each for each in structure[attribute].layers if each.depth == 0]
            if layers and all(each.derived for each in layers):
                yield _fact(code, call, layers[0], f"self.{attribute}.weight")


def _written_here(code: Code, call: ast.Call) -> str | None:
    """The attribute of ``self`` whose weight a call writes in place."""
    target = written(code, call)
    if isinstance(target, ast.Attribute) and target.attr == "weight":
        return own_attribute(target.value)
    return None


def _before(code: Code, attribute: Attribute, call: ast.Call) -> bool:
    """Whether an attribute has got all of its layers when a call runs; methods run after the constructor."""
    is_constructor = code.function is not None and code.function.name == "__init__"
    return not is_constructor or max(attribute.rows, default=0) < code.snippet.place(call).row


def _by_walk(code: Code, call: ast.Call, walk: Walk, structure: dict[str, Attribute]) -> Iterator[DerivedWrite]:
    assert isinstance(call.func, ast.Attribute)
    text = walk.code.module.slice(walk.code.definition) if walk.code.definition is not None else ""
    if any(word in text for word in KNOWS):
        return
    model = call.func.value
    name = own_attribute(model)
    held = structure.values() if dotted(model) == "self" else [structure[name]] if name in structure else []
    seen: set[Defined] = set()
    layers = [each for one in held if _before(code, one, call) for each in below(code.project, one.layers, seen)]
    for write in walk.writes:
        reached = [each for each in layers if each.derived is not None and write.meant_for(code, each)]
        if write.attribute == "weight" and reached:
            same_file = walk.code.module is code.module
            node = write.node if same_file else call
            yield _fact(walk.code if same_file else code, node, reached[0], f"{walk.element}.weight")


def _fact(code: Code, node: ast.Call, layer: Layer, target: str) -> DerivedWrite:
    assert layer.derived is not None
    return DerivedWrite(
        observer=Observer.ANALYZER,
        place=code.snippet.place(node),
        target=target,
        layer=layer.kind,
        by=layer.derived,
    )


def below(project: Project, layers: list[Layer], seen: set[Defined]) -> Iterator[Layer]:
    """Layers, and those that the project's own classes among them are made of; each class is looked into once."""
    for layer in layers:
        yield layer
        if layer.cls is not None and layer.cls not in seen:
            seen.add(layer.cls)
            for attribute in constructed(project, layer.cls).values():
                yield from below(project, attribute.layers, seen)
