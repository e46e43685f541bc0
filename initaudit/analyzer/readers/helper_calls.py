"""Facts about calls of helpers that initialize a module, and leave alone whatever is none."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from initaudit.analyzer.frameworks import MODULE_HELPERS
from initaudit.analyzer.project.names import Defined, External, Resolved
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import alternatives, last_name
from initaudit.analyzer.syntax.context import Context, first_parameter, function_context, named_function, own_attribute
from initaudit.subjects.lost_writes import HelperCall

NAMES = ("init", "normal", "xavier", "kaiming", "ortho")
"""What stands in the name of a helper that initializes."""
BASES = ("torch.nn.Module", "object")
OF_MODULES = ("weight", "bias")
"""Attributes that no tensor has."""
NAMED_SO = "init*( init_( normal_*( xavier*( kaiming*( ortho*( ortho_("


@reads(HelperCall, scope=Context, words=(NAMED_SO, "(weight) (bias) (self)"))
def helper_calls(context: Context) -> Iterator[HelperCall]:
    """Calls that give a parameter to a helper that does nothing unless it is given a module."""
    for call in context.calls():
        given = call.args[0] if call.args else None
        name = last_name(call.func)
        if given is None or not any(word in name for word in NAMES) or not context.is_parameter(given):
            continue
        guard = _guard(context, call.func)
        if guard is not None and isinstance(given, ast.Attribute):
            yield HelperCall(
                place=context.snippet.place(call),
                helper=context.snippet.source(call.func),
                argument=context.snippet.source(given),
                module=context.snippet.source(given.value),
                guard=guard,
                model=context.cls.qualname if context.cls is not None and own_attribute(given) else None,
                parameter=own_attribute(given),
            )


@reads(HelperCall, scope=Context, words=(NAMED_SO, "self"))
def calls_for_layers(context: Context) -> Iterator[HelperCall]:
    """``init_weights(self)`` in a model, of a function that only initializes layers, and walks over none."""
    for call in context.calls():
        name = last_name(call.func)
        match call.args:
            case [ast.Name(id="self") as given, *_] if context.cls is not None and any(word in name for word in NAMES):
                helper = named_function(context, call.func)
            case _:
                continue
        guard = _guard_for_layers(helper, context.cls) if helper is not None else None
        if guard is not None:
            yield HelperCall(
                place=context.snippet.place(call),
                helper=context.snippet.source(call.func),
                argument=given.id,
                module=given.id,
                guard=guard,
            )


def _guard_for_layers(helper: Context, cls: Defined) -> str | None:
    """The test that no object of a class passes, behind which a helper does all that it does."""
    name, order = first_parameter(helper), helper.project.mro(cls)
    if helper.function is None or name is None or order is None or not helper.project.is_module_class(cls):
        return None
    if any(isinstance(base, External) and base.name not in BASES for base in order):
        return None

    def fails(test: ast.expr) -> str | None:
        match test:
            case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=tested), kinds]) if tested == name:
                known = map(helper.resolve, alternatives(kinds))
                return helper.snippet.source(test) if all(_is_another(helper, each, cls) for each in known) else None
        return None

    guards = _guards(helper.function.body, name, fails)
    return guards[0] if guards else None


def _is_another(helper: Context, kind: Resolved | None, cls: Defined) -> bool:
    """Whether no object of a class is known to be of another class, which is neither a base nor derived from it."""
    match kind:
        case Defined():
            order = helper.project.mro(kind)
            return order is not None and cls not in order and kind not in (helper.project.mro(cls) or ())
        case External(name=name):
            return name.startswith("torch.nn.") and name not in BASES
    return False


def _guard(context: Context, function: ast.expr) -> str | None:
    """The test behind which a helper does all that it does; None when it does something for a tensor, or is unknown."""
    found = context.resolve(function)
    if isinstance(found, External):
        return MODULE_HELPERS.get(found.name)
    if not isinstance(found, Defined) or found.definition.is_class:
        return None
    helper = function_context(context.project, found)
    name = first_parameter(helper) if helper is not None else None
    if helper is None or helper.function is None or name is None:
        return None
    guards = _guards(helper.function.body, name, lambda test: _requires_module(helper, test, name))
    return guards[0] if guards else None


def _guards(body: list[ast.stmt], name: str, fails: Callable[[ast.expr], str | None]) -> list[str] | None:
    """The tests that guard what is done to the argument ``name``; None when something is done without one.

    ``fails`` gives the source of a test, or of the part of one, that the argument cannot pass.
    """
    found: list[str] = []
    for statement in body:
        match statement:
            case ast.Expr(value=ast.Constant()) | ast.Pass() | ast.Assert() | ast.Return(value=None):
                continue
            case ast.Return(value=ast.Name(id=returned)) if returned == name:
                continue
            case ast.If(test=test, body=then, orelse=otherwise):
                guard = _failing(test, fails)
                inner = [guard] if guard is not None else _guards(then, name, fails)
                rest = _guards(otherwise, name, fails)
                if inner is None or rest is None:
                    return None
                found += [*inner, *rest]
            case _:
                return None
    return found


def _failing(test: ast.expr, fails: Callable[[ast.expr], str | None]) -> str | None:
    """The source of a test that fails, or of a part that all of it needs."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return next((found for part in test.values if (found := _failing(part, fails))), None)
    return fails(test)


def _requires_module(helper: Context, test: ast.expr, name: str) -> str | None:
    """The source of a test that holds for no tensor."""
    match test:
        case ast.Call(func=ast.Name(id="hasattr"), args=[ast.Name(id=tested), ast.Constant(value=attribute)]):
            return helper.snippet.source(test) if tested == name and attribute in OF_MODULES else None
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=tested), kinds]) if tested == name:
            return helper.snippet.source(test) if all(map(helper.is_module_class, alternatives(kinds))) else None
    return None
