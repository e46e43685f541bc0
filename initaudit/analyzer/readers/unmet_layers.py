"""Tests of the type of a layer that none of the layers meets."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.programs.graph import modules_naming
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import alternatives
from initaudit.analyzer.syntax.callers import given_to
from initaudit.analyzer.syntax.context import Context, first_parameter, in_order, initializes, own_attribute
from initaudit.analyzer.syntax.meaning import Meaning, What
from initaudit.analyzer.syntax.structure import all_below, constructed, is_known
from initaudit.analyzer.syntax.walks import Walk, tested, walked
from initaudit.subjects.module_tests import ConstantTest

CHILDREN = {"self.children()", "self.named_children()", "self._modules.values()", "self._modules.items()"}
HOLDERS = {"torch.nn.Sequential", "torch.nn.ModuleList", "torch.nn.ModuleDict"}


@reads(ConstantTest, scope=Context, words="apply( modules( init*( reset*(", nearby="isinstance(", named="__init__")
def never_met(context: Context) -> Iterator[ConstantTest]:
    """An initializer of the class that its constructor runs, and that asks for other layers than the class has.

    It is given to ``self.apply``, or is a loop over ``self.modules()``, there or in a method that is called there.
    """
    cls, function = context.cls, context.function
    if cls is None or function is None or not context.project.is_module_class(cls):
        return
    for walk in (each for statement in function.body for each in walked(context, statement)):
        definition = walk.context.definition
        if not walk.writes or definition is None or definition.owner is not cls.definition:
            continue
        layers = all_below(context.project, cls)
        by_kind = all(write.kinds for write in walk.writes) and not any(map(_has_rest, in_order(walk.body, later=True)))
        if not layers or not by_kind or not _asks_for_known(walk):
            continue
        if any(layer.kind.startswith(torch_api.HOLDS_OTHERS) for layer in layers):
            continue
        if not any(write.meant_for(walk.context, layer) for write in walk.writes for layer in layers):
            test = next((each.test for each in walk.body if isinstance(each, ast.If)), None)
            kinds = sorted({layer.kind.rpartition(".")[2] for layer in layers})
            if test is not None and not _has_descendants(context.project, cls):
                yield ConstantTest(
                    place=walk.context.snippet.place(test),
                    source=walk.context.snippet.source(test),
                    outcome="never true",
                    why=f"`{cls.definition.name}` is made of {', '.join(kinds)} alone",
                )


def _has_descendants(project: Project, cls: Defined) -> bool:
    """Whether other classes, in any file, inherit the initializer, and may have other layers."""
    return any(project.descendants(cls, module) for module in modules_naming(project, cls))


@reads(ConstantTest, scope=Context, words=("isinstance(", "_("), nearby="Sequential( ModuleList(")
def given_containers(context: Context) -> Iterator[ConstantTest]:
    """``init(self.body)``, where the function asks for the type of a layer, and what it is given holds layers."""
    function, first = context.function, first_parameter(context)
    body = [each for each in function.body if not _is_text(each)] if function is not None else []
    tests = [test for each in body if isinstance(each, ast.If) and initializes(each) for test in _tests_in_turn(each)]
    if len(tests) < max(len(body), 1) or not all(_is_of_layers(context, test, first) for test in tests):
        return
    asked = context.snippet.source(tests[0]) if tests[0] is not None else ""
    for caller, node, meaning, _ in given_to(context, by_apply=False):
        call = caller.snippet.parents.get(node)
        if call is not None and (holder := _holder(caller, node, meaning, _asked(context, tests))):
            yield ConstantTest(
                place=caller.snippet.place(call),
                source=asked,
                outcome="never true",
                why=f"`{caller.snippet.source(node)}` is {holder}; give the function to its `apply`",
            )


def _tests_in_turn(branch: ast.If) -> list[ast.expr | None]:
    """The conditions of ``if`` and each ``elif``; None for what is done where none of them holds."""
    match branch.orelse:
        case [ast.If() as other]:
            return [branch.test, *_tests_in_turn(other)]
        case []:
            return [branch.test]
    return [branch.test, None]


def _asked(context: Context, tests: list[ast.expr | None]) -> set[str]:
    """The classes that conditions ask for."""
    found = [name for test in tests if test is not None for name in tested(context, test)]
    return set(found)


def _holder(context: Context, node: ast.expr, meaning: Meaning | None, asked: set[str]) -> str | None:
    """What an expression is, if it is a module of torch that only holds others."""
    each = meaning is not None and meaning.element and meaning.source in CHILDREN
    if each or (isinstance(node, ast.Subscript) and own_attribute(node.value) == "_modules"):
        return "made of several layers, whatever child it is" if _only_hold(context, asked) else None
    if (name := own_attribute(node)) is not None and context.cls is not None:
        attribute = constructed(context.project, context.cls).get(name)
        held = attribute is not None and attribute.layers and all(layer.depth > 0 for layer in attribute.layers)
        return "made of several layers" if held else None
    kinds = meaning.kinds if meaning is not None and meaning.what is What.MODULE and not meaning.element else ()
    return f"a `{kinds[0].rpartition('.')[2]}`" if len(kinds) == 1 and kinds[0] in HOLDERS else None


def _only_hold(context: Context, asked: set[str]) -> bool:
    """Whether the children of the object hold layers of some classes, and are none."""
    cls = context.cls
    held = constructed(context.project, cls).values() if cls is not None else ()
    layers = [layer for attribute in held for layer in attribute.layers]
    meant = [layer for layer in layers if layer.kind in asked]
    plain = all(attribute.complete for attribute in held) and all(is_known(context.project, each) for each in layers)
    return (
        cls is not None and plain and bool(meant)
        and all(layer.depth > 0 for layer in meant)
        and not any(layer.cls is not None and layer.depth == 0 for layer in layers)
        and not _has_descendants(context.project, cls)
    )  # fmt: skip


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_of_layers(context: Context, test: ast.expr | None, name: str | None) -> bool:
    """Whether a condition asks if an argument is one of torch's layers with weights."""
    match test:
        case ast.BoolOp(op=ast.And(), values=[first, *_]):
            return _is_of_layers(context, first, name)
        case ast.BoolOp(op=ast.Or(), values=values):
            return all(_is_of_layers(context, each, name) for each in values)
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=asked), kinds]) if asked == name:
            found = [context.canonical(each) or "" for each in alternatives(kinds)]
            return bool(found) and all(each.removeprefix("torch.nn.") in torch_api.LAYER_NAMES for each in found)
    return False


def _asks_for_known(walk: Walk) -> bool:
    """Whether a function asks for classes of torch or the project: another package may name those of torch anew."""
    for node in (inner for statement in walk.body for inner in ast.walk(statement)):
        match node:
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, kinds]):
                for kind in alternatives(kinds):
                    found = walk.context.resolve(kind)
                    if not isinstance(found, Defined) and not (walk.context.canonical(kind) or "").startswith("torch."):
                        return False
    return True


def _has_rest(statement: ast.stmt) -> bool:
    """Whether a statement says what is done where no test of it holds."""
    rest: list[ast.stmt] = getattr(statement, "orelse", [])
    asks_again = isinstance(statement, ast.If) and len(rest) == 1 and isinstance(rest[0], ast.If)
    return bool(rest) and not asks_again
