"""Initializers that go over a model before all of it is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import External
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import dotted, last_name
from initaudit.analyzer.syntax.context import Context, initializes, method, own_attribute, own_attributes
from initaudit.analyzer.syntax.structure import Attribute, Layer, all_below, attributes
from initaudit.analyzer.syntax.walks import Initialized, walked
from initaudit.finding import Observer
from initaudit.subjects.order import EarlyWalk

BUILTINS = {"range", "len", "int", "float", "max", "min", "zip", "enumerate", "round", "sum", "str", "list", "tuple"}
INITIALIZES = re.compile(r"[^_]_$|(?<!__)init(?!__)|reset|apply|load")
"""What stands in the names of what initializes the parts of a module, or loads them."""
LINEAR = "torch.nn.Linear"
GAINS = {f"torch.nn.{name}" for name in torch_api.NORMALIZATIONS}
"""Classes whose ``weight`` is a gain."""
STACKED = ("torch.nn.TransformerEncoder", "torch.nn.TransformerDecoder")
"""Layers of torch that hold linear layers, which a walk reaches."""


@reads(EarlyWalk, scope=Context, words="apply( modules( init*( reset*(", nearby="apply( modules(", named="__init__")
def early_walks(context: Context) -> Iterator[EarlyWalk]:
    """Statements of a constructor that initialize all modules of the object, where layers of that kind come later."""
    function, cls = context.function, context.cls
    if function is None or cls is None or function.name != "__init__":
        return
    body = function.body
    steps = [(statement, walked(context, statement)) for statement in body[:-1]]
    last = max((index for index, (_, walks) in enumerate(steps) if walks), default=None)
    if last is None:
        return
    statement, walks = steps[last]
    later = body[last + 1 :]
    if any(_hands_on(context, each) for each in later) or walked(context, body[-1]):
        return
    place = context.snippet.place(statement)
    begin = place.row, place.column
    late = [late for one in attributes(context).values() if one.name != "*" and (late := _late(context, one, begin))]
    writes = (write for walk in walks for write in walk.writes if write.attribute == "weight" and write.kinds)
    meant = [write for write in writes if not _is_default(write)]
    missed = [one for one in late if _left(context, one, meant, later)]
    if missed:
        names = {one.name for one in late}
        by_hand = any(initializes(each) and not names.isdisjoint(own_attributes(each)) for each in later)
        yield EarlyWalk(
            observer=Observer.ANALYZER,
            place=context.snippet.place(statement),
            source=ast.unparse(statement).partition("\n")[0].removesuffix(":"),
            model=cls.qualname,
            missed=tuple(one.name for one in missed),
            chosen=by_hand or any(_initializes_itself(context, each) for one in missed for each in one.layers),
        )


def _is_default(write: Initialized) -> bool:
    """Whether a write gives the gains of normalizations what their constructors do: ones."""
    given = [*write.node.args[-1:], *(each.value for each in write.node.keywords)]
    one = any(isinstance(each, ast.Constant) and each.value == 1 for each in given)
    name = last_name(write.node.func)
    return (name == "ones_" or (name in ("constant_", "fill_") and one)) and set(write.kinds) <= GAINS


def _late(context: Context, attribute: Attribute, begin: tuple[int, int]) -> Attribute | None:
    """The layers of an attribute that it is given behind a place: all of them, or those that are added there."""
    if attribute.ends and min(attribute.ends) > begin:
        return attribute
    here = (each for each in attribute.layers if each.context and each.context.snippet is context.snippet)
    added = [each for each in here if _at(context, each) > begin]
    return replace(attribute, layers=added) if added else None


def _at(context: Context, layer: Layer) -> tuple[int, int]:
    place = context.snippet.place(layer.call) if layer.call is not None else None
    return (place.row, place.column) if place is not None else (0, 0)


def _hands_on(context: Context, statement: ast.stmt) -> bool:
    """Whether a statement gives the object itself to code that may initialize it, or calls a method that may."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call):
            name = own_attribute(node.func)
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(isinstance(value, ast.Name) and value.id == "self" for value in given):
                return True
            if name is not None and (called := method(context, name)) is not None:
                if called.function is None or any(initializes(each) for each in called.function.body):
                    return True
            elif name is not None and ("init" in name or "reset" in name):
                return True
    return False


def _left(context: Context, attribute: Attribute, meant: list[Initialized], later: list[ast.stmt]) -> bool:
    """Whether an attribute holds layers that an initializer is meant for, and nothing else initializes them."""
    layers = [part for layer in attribute.layers for part in _parts(context, layer)]
    if not any(write.meant_for(context, layer) for layer in layers for write in meant):
        return False
    for statement in later:
        if attribute.name in own_attributes(statement) and (
            initializes(statement) or not _only_makes(context, statement)
        ):
            return False
    return True


def _parts(context: Context, layer: Layer) -> list[Layer]:
    """The layers of torch that a layer is, or is made of; none of a class that initializes itself, or is not known."""
    every = [layer] if layer.cls is None else all_below(context.project, layer.cls) or []
    if _initializes_itself(context, layer):
        return []
    inner = [Layer(LINEAR, "Linear") for each in every if each.kind.startswith(STACKED)]
    return [*(each for each in every if each.cls is None), *inner]


def _initializes_itself(context: Context, layer: Layer) -> bool:
    """Whether a class of the project, or one that its layers are made of, seems to initialize itself."""
    every = all_below(context.project, layer.cls) or [] if layer.cls is not None else []
    classes = [each.cls for each in (layer, *every) if each.cls is not None]
    called = {name for cls in classes for name in cls.module.usage(cls.definition).last_called}
    return any(INITIALIZES.search(name) for name in called)


def _only_makes(context: Context, statement: ast.stmt) -> bool:
    """Whether all that a statement calls are classes of layers, as far as it calls anything that is known."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and dotted(node.func) not in BUILTINS and own_attribute(node.func) is None:
            found = context.resolve(node.func)
            known = isinstance(found, External) and found.name.startswith(("torch.nn.", "math."))
            known = known or context.is_module_class(node.func)
            added = isinstance(node.func, ast.Attribute) and node.func.attr in ("append", "extend", "add_module")
            if not known and not added:
                return False
    return True
