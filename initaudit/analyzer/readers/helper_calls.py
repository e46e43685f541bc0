"""Facts about calls of helpers that initialize a module, and leave alone whatever is none."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.frameworks import MODULE_HELPERS
from initaudit.analyzer.project.names import Defined, External
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import alternatives, last_name
from initaudit.analyzer.syntax.context import Context, first_parameter, function_context, own_attribute
from initaudit.subjects.lost_writes import HelperCall

NAMES = ("init", "normal", "xavier", "kaiming", "ortho")
"""What stands in the name of a helper that initializes."""
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
    guards = _guards(helper, helper.function.body, name)
    return guards[0] if guards else None


def _guards(helper: Context, body: list[ast.stmt], name: str) -> list[str] | None:
    """The tests that guard what is done to the argument ``name``; None when something is done without one."""
    found: list[str] = []
    for statement in body:
        match statement:
            case ast.Expr(value=ast.Constant()) | ast.Pass() | ast.Assert() | ast.Return(value=None):
                continue
            case ast.Return(value=ast.Name(id=returned)) if returned == name:
                continue
            case ast.If(test=test, body=then, orelse=otherwise):
                if (guard := _requires_module(helper, test, name)) is not None:
                    inner: list[str] | None = [guard]
                else:
                    inner = _guards(helper, then, name)
                rest = _guards(helper, otherwise, name)
                if inner is None or rest is None:
                    return None
                found += [*inner, *rest]
            case _:
                return None
    return found


def _requires_module(helper: Context, test: ast.expr, name: str) -> str | None:
    """The source of the part of a test that holds for no tensor."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return next((found for part in test.values if (found := _requires_module(helper, part, name))), None)
    match test:
        case ast.Call(func=ast.Name(id="hasattr"), args=[ast.Name(id=tested), ast.Constant(value=attribute)]):
            return helper.snippet.source(test) if tested == name and attribute in OF_MODULES else None
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=tested), kinds]) if tested == name:
            return helper.snippet.source(test) if all(map(helper.is_module_class, alternatives(kinds))) else None
    return None
