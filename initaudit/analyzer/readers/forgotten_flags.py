"""Flags of initializations from the first input that are plain attributes, so that a state dict does not hold them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.usage import OBJECT
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import dotted, nodes, parameters
from initaudit.analyzer.syntax.context import (
    Context,
    function_context,
    in_order,
    initializes,
    makes_parameter,
    method,
    own_attribute,
)
from initaudit.analyzer.syntax.walks import written
from initaudit.finding import Place
from initaudit.subjects.order import ForgottenFlag

OF_STATE = {
    "load_state_dict", "_load_from_state_dict", "_save_to_state_dict", "state_dict", "get_extra_state",
    "set_extra_state", "_register_load_state_dict_pre_hook", "register_load_state_dict_pre_hook",
    "register_load_state_dict_post_hook", "__setstate__",
}  # fmt: skip
"""Methods by which a class may keep its flag with its state."""


@reads(ForgottenFlag, scope=Context, words=("self.", "if"), nearby=("=False =0", "Parameter( register_buffer("))
def forgotten_flags(context: Context) -> Iterator[ForgottenFlag]:
    """``if not self.initialized: self.shift.data.copy_(x.mean(0)); self.initialized = True``."""
    function, cls = context.function, context.cls
    if function is None or cls is None or function.name == "__init__" or not context.project.is_module_class(cls):
        return
    if len(parameters(function)) < 2 or _keeps_state(context.project, cls) or not _runs_with_model(context):
        return
    for flag, body in _once(function.body):
        made = _made_false(context, flag)
        write = _first_write(context, body) if made is not None and _sets(context, body, flag) else None
        if made is None or write is None:
            continue
        name, place = write
        if not _is_set_elsewhere(context, body, flag, learned=makes_parameter(context.project, cls, name)):
            yield ForgottenFlag(
                place=made[0].snippet.place(made[1]),
                model=cls.qualname,
                flag=flag,
                parameter=name,
                method=function.name,
                written=place,
            )


def _runs_with_model(context: Context) -> bool:
    """Whether the forward is the method or calls it, if the class has one: other methods run when they are wanted."""
    pending, seen = ["forward"], set[str]()
    name = context.function.name if context.function is not None else ""
    while pending and name not in seen:
        called = method(context, each) if (each := pending.pop()) not in seen else None
        seen.add(each)
        pending += [own for call in called.calls() if (own := own_attribute(call.func))] if called is not None else []
    return name in seen or method(context, "forward") is None


def _once(body: Sequence[ast.stmt]) -> Iterator[tuple[str, Sequence[ast.stmt]]]:
    """The flags that a method tests, and what runs only while each of them is false."""
    for number, statement in enumerate(body):
        if not isinstance(statement, ast.If):
            continue
        if (flag := _denied(statement.test)) is not None:
            yield flag, statement.body
        elif (flag := own_attribute(statement.test)) is not None and isinstance(statement.body[-1], ast.Return):
            yield flag, body[number + 1 :]


def _denied(test: ast.expr) -> str | None:
    """The attribute that has to be false for a condition to hold."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return own_attribute(operand)
        case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[ast.Constant(value=False | 0)]):
            return own_attribute(left)
        case ast.BoolOp(op=ast.And(), values=values):
            return next((flag for each in values if (flag := _denied(each)) is not None), None)
    return None


def _made_false(context: Context, flag: str) -> tuple[Context, ast.stmt] | None:
    """Where the constructor of the class gives the flag a false constant, if nothing else there is done to it."""
    constructor = method(context, "__init__")
    if constructor is None or constructor.function is None or constructor.cls != context.cls:
        return None
    stored = [
        statement
        for statement in in_order(constructor.function.body)
        if any(own_attribute(target) == flag for target in _targets(statement))
    ]
    match stored:
        case [
            ast.Assign(value=ast.Constant(value=False | 0)) | ast.AnnAssign(value=ast.Constant(value=False | 0)) as made
        ]:
            return constructor, made
    return None


def _targets(statement: ast.AST) -> list[ast.expr]:
    """What a statement assigns a value to."""
    match statement:
        case ast.Assign(targets=targets):
            return targets
        case ast.AnnAssign(target=target, value=ast.expr()):
            return [target]
    return []


def _sets(context: Context, body: Sequence[ast.stmt], flag: str) -> bool:
    """Whether statements, or methods of the object that they call, set the flag."""
    called = [own_attribute(node.func) for each in body for node in nodes(each) if isinstance(node, ast.Call)]
    inner = [method(context, name) for name in called if name is not None]
    walked = [node for each in body for node in nodes(each)] + [node for one in inner if one for node in one.walk()]
    return any(
        own_attribute(node) == flag and isinstance(node.ctx, ast.Store)
        for node in walked
        if isinstance(node, ast.Attribute)
    )


def _first_write(context: Context, body: Sequence[ast.stmt]) -> tuple[str, Place] | None:
    """The first parameter or buffer that statements, or methods that they call, compute from the input."""
    function = context.function
    if function is None:
        return None
    given = {each.arg for each in parameters(function)[1:]}
    found = _computed(context, function.body, body, given)
    if found is not None:
        return found
    for call in (node for statement in body for node in nodes(statement) if isinstance(node, ast.Call)):
        called = own_attribute(call.func)
        inner = method(context, called) if called is not None else None
        if inner is None or inner.function is None:
            continue
        names = [each.arg for each in parameters(inner.function)[1:]]
        passed = {name for name, value in zip(names, call.args, strict=False) if _of_data(value, given)}
        found = _computed(inner, inner.function.body, inner.function.body, passed)
        if found is not None:
            return found
    return None


def _computed(
    context: Context, whole: Sequence[ast.stmt], body: Sequence[ast.stmt], given: set[str]
) -> tuple[str, Place] | None:
    """The first kept tensor that ``body``, a part of a function's body ``whole``, computes from ``given`` variables."""
    data = set(given)
    for statement in in_order(whole):
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value and _of_data(statement.value, data):
            data |= {each.id for to in _targets(statement) for each in nodes(to) if isinstance(each, ast.Name)}
    for statement in in_order(body):
        target: ast.expr | None = None
        value: ast.expr | None = None
        match statement:
            case ast.Assign(targets=[ast.Attribute(attr="data", value=target)], value=value):
                pass
            case ast.Assign(targets=[ast.Subscript(value=target)], value=value):
                pass
            case ast.Expr(value=ast.Call(args=[value, *_]) as call):
                target = written(context, call)
        if isinstance(target, ast.Attribute) and target.attr == "data":
            target = target.value
        name = own_attribute(target) if target is not None else None
        if name is not None and value is not None and _of_data(value, data) and _is_kept(context, name):
            return name, context.snippet.place(statement)
    return None


def _of_data(value: ast.expr, data: set[str]) -> bool:
    """Whether an expression depends on the values of some variables, and not only on their sizes."""
    if isinstance(value, ast.Attribute) and value.attr in torch_api.NO_DATA:
        return False
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in torch_api.NO_DATA:
        return False
    if isinstance(value, ast.Call) and dotted(value.func) == "len":
        return False
    if isinstance(value, ast.Name):
        return value.id in data
    return any(_of_data(each, data) for each in ast.iter_child_nodes(value) if isinstance(each, ast.expr))


def _is_kept(context: Context, name: str) -> bool:
    """Whether an attribute is a parameter, or a buffer that the state dict holds."""
    cls = context.cls
    return cls is not None and (makes_parameter(context.project, cls, name) or _is_buffer(context, name))


def _is_buffer(context: Context, name: str) -> bool:
    constructor = method(context, "__init__")
    for call in constructor.calls() if constructor is not None else ():
        match call:
            case ast.Call(func=ast.Attribute(attr="register_buffer"), args=[ast.Constant(value=given), *rest]):
                if given == name:
                    return len(rest) < 2 and not any(each.arg == "persistent" for each in call.keywords)
    return False


def _keeps_state(project: Project, cls: Defined) -> bool:
    """Whether a class, or a base of it, may keep what is no parameter and no buffer with its state."""
    order = project.mro(cls)
    return order is None or any(_speaks_of_state(base) for base in order if isinstance(base, Defined))


def _speaks_of_state(cls: Defined) -> bool:
    """Whether a class defines or calls a method that gives or takes a state."""
    text = cls.module.slice(cls.definition)
    if not any(name in text for name in OF_STATE):
        return False
    own = cls.definition.members.keys() | cls.module.usage(cls.definition).last_called
    return not OF_STATE.isdisjoint(own)


def _is_set_elsewhere(context: Context, body: Sequence[ast.stmt], flag: str, *, learned: bool) -> bool:
    """Whether other code sets the flag: code of the file, as after a load, or a method of the class.

    A method that also draws what is ``learned`` does not count: a loaded value is lost all the same.
    """
    if any(owner != OBJECT for used in context.module.usages(flag) for owner in used.gives(flag)):
        return True
    if context.cls is None:
        return False
    own = {"__init__", context.definition.name if context.definition is not None else ""}
    own |= {
        name
        for each in body
        for node in nodes(each)
        if isinstance(node, ast.Call)
        if (name := own_attribute(node.func))
    }
    bases = (base for base in context.project.mro(context.cls) or () if isinstance(base, Defined))
    methods = (
        Defined(base.module, each)
        for base in bases
        for name, each in base.definition.members.items()
        if name not in own
    )
    for each in methods:
        found = function_context(context.project, each)
        if found is None or (learned and any(map(initializes, found.snippet.body))):
            continue
        if any(own_attribute(target) == flag for node in found.walk() for target in _targets(node)):
            return True
    return False
