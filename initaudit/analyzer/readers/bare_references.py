"""Statements that name an initializer, and do not call it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from msgspec import structs

from initaudit.analyzer import torch_api
from initaudit.analyzer.programs.constructor import construct, coverage, registered, unreadable_base
from initaudit.analyzer.programs.methods import forgotten_initializers
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import FunctionNode, defaults, dotted, has_decorator, parameters
from initaudit.analyzer.syntax.context import Context, initializes, named_function, own_attribute
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.subjects.lost_writes import BareReference
from initaudit.timeline import Coverage

INITIALIZER_METHODS = {
    "reset_parameters", "_reset_parameters", "init_weights", "_init_weights", "initialize_weights",
}  # fmt: skip
OVER_LAYERS = "modules( children( parameters( ModuleList( ParameterList("
OWNERS = ast.Name | ast.Attribute | ast.Subscript


@reads(BareReference, scope=Context, words=":_; :apply; :load_state_dict; :init*; :reset*; :weight*; :param*; :map(")
@reads(BareReference, scope=Context, words=":partial(")
@reads(BareReference, scope=Context, words=("'for'", "_("), nearby=OVER_LAYERS)
@reads(BareReference, scope=Context, words=("apply(", "'lambda'"))
def bare_references(context: Context) -> Iterator[BareReference]:
    """Expression statements that only name an initializer, unless they try whether there is one."""
    for step in Meanings(context).steps():
        if isinstance(step.statement, ast.Expr) and not step.guarded:
            reference = _bare_reference(context, step.statement.value)
            if reference is not None:
                yield reference


def _bare_reference(context: Context, expression: ast.expr) -> BareReference | None:
    """An initializer that a statement names and does not call, also in a ``partial`` or a ``map`` that is dropped."""
    match expression:
        case ast.Call(func=ast.Name(id="map"), args=[called, _]) | ast.GeneratorExp(elt=ast.Call(func=called)):
            of_torch = (context.canonical(called) or "").startswith(torch_api.INIT)
            initializes_each = of_torch or _own_initializer(context, called) is not None
            what = "map" if isinstance(expression, ast.Call) else "generator"
            return _reference(context, called, False, within=what) if initializes_each else None
        case ast.Call(func=maker, args=[called, *_]) if context.canonical(maker) == "functools.partial":
            found = _bare_reference(context, called)
            return structs.replace(found, callable_without_arguments=False) if found is not None else None
    if not isinstance(expression, ast.Attribute | ast.Name):
        return None
    name = context.canonical(expression)
    if name is not None:
        is_initializer = name.startswith(torch_api.INIT) and name.endswith("_")
        return _reference(context, expression, False) if is_initializer else None
    function = _own_initializer(context, expression)
    if function is not None:
        return _reference(context, expression, _callable_alone(function))
    if not isinstance(expression, ast.Attribute):
        return None
    if expression.attr in ("apply", "load_state_dict") and dotted(expression.value).strip("."):
        return _reference(context, expression, False)
    if expression.attr not in INITIALIZER_METHODS or not isinstance(expression.value, OWNERS):
        return None
    return _reference(context, expression, _needs_no_argument(context, expression))


def _own_initializer(context: Context, expression: ast.expr) -> FunctionNode | None:
    """The function of the project, or method of the class, that an expression names, if that initializes something."""
    read = named_function(context, expression)
    if read is None or read.function is None or read.function.decorator_list:
        return None  # naming a property runs it
    return read.function if any(map(initializes, read.function.body)) else None


def _callable_alone(function: FunctionNode) -> bool:
    """Whether a function, called on an object if it is a method, needs no arguments."""
    given = [param for param in parameters(function) if param.arg != "self"]
    optional = defaults(function.args)
    return all(param.arg in optional for param in given)


def _needs_no_argument(context: Context, method: ast.Attribute) -> bool:
    """Whether a method can be called with nothing; where it cannot be read, whether one of torch's can."""
    found = named_function(context, method) if own_attribute(method) is not None else None
    node = found.function if found is not None else None
    if node is None:
        return method.attr in torch_api.RESET_BY_CONSTRUCTOR.values()
    optional = defaults(node.args)
    given = parameters(node) if has_decorator(node, "staticmethod") else parameters(node)[1:]
    return all(param.arg in optional for param in given)


def _reference(
    context: Context, expression: ast.expr, callable_alone: bool, within: str | None = None
) -> BareReference:
    own = own_attribute(expression)
    parameters = _left_raw(context.project, context.cls, own) if own is not None and context.cls is not None else ()
    return BareReference(
        place=context.snippet.place(expression),
        source=context.snippet.source(expression),
        callable_without_arguments=callable_alone,
        within=within,
        model=context.cls.qualname if parameters and context.cls is not None else None,
        parameters=parameters,
    )


def _left_raw(project: Project, cls: Defined, method: str) -> tuple[str, ...]:
    """The parameters that a method would have written and nothing else does."""
    if unreadable_base(project, cls) is not None or not project.is_module_class(cls):
        return ()
    built = construct(project, cls)
    raw = [e for e in registered(built) if coverage(e, [], [])[0] is Coverage.NEVER and not e.storage.escaped]
    would = [(entry.name, {each.definition.name for each in forgotten_initializers(built, entry)}) for entry in raw]
    return tuple(name for name, methods in would if method in methods)
