"""Helpers whose values do not reach the parameter that they are given.

A helper that makes new values and returns them, called for its effect; one that writes in place and returns nothing,
whose result is assigned.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.called_initializers import called_function
from initaudit.analyzer.source.snippets import FunctionNode, begin, dotted, parameters, root
from initaudit.analyzer.syntax.context import Context, first_parameter, initializes
from initaudit.analyzer.syntax.functions import own_nodes, returns_nothing
from initaudit.analyzer.syntax.meaning import TENSORS
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.results import makes_new, writes_in_place
from initaudit.analyzer.syntax.walks import applied_names
from initaudit.subjects.lost_writes import DroppedInitializerResult


@reads(
    DroppedInitializerResult,
    scope=Context,
    words="(self)",
    nearby="Parameter( register_parameter(",
    named="init reset setup build",
)
@reads(DroppedInitializerResult, scope=Context, words="(weight) (bias) (data) parameters(")
def dropped_initializer_results(context: Context) -> Iterator[DroppedInitializerResult]:
    """Calls of helpers with a parameter, where the result and what the helper does do not fit."""
    meanings = Meanings(context)
    for step in meanings.steps():
        assigned: ast.Attribute | None = None
        match step.statement:
            case ast.Expr(value=ast.Call(args=[target, *_]) as call):
                pass
            case ast.Assign(targets=[ast.Attribute() as given], value=ast.Call(args=[target, *_]) as call):
                assigned = given
            case _:
                continue
        meaning = meanings.meaning(target, step.names)
        if meaning is None or meaning.what not in TENSORS:
            continue
        function = called_function(context, call)
        if function is None or step.guarded:
            continue
        if assigned is None and _makes_anew(context, function, call):
            written = _writes_argument(function, call)
            yield _fact(context, step.statement, call, target, returns_none=False, written=written)
        elif assigned is not None and ast.unparse(assigned) == ast.unparse(target) and returns_nothing(function):
            yield _fact(context, step.statement, call, target, returns_none=True)


@reads(DroppedInitializerResult, scope=Context, words=" ".join(f"{name}(" for name in sorted(torch_api.SIZES)))
def lost_layers(context: Context) -> Iterator[DroppedInitializerResult]:
    """Helpers that initialize the new layer that they are given, and do not give it back, where a value is wanted."""
    dropped = {node.value for node in context.walk() if isinstance(node, ast.Expr)}
    deferred = {inner for node in context.walk() if isinstance(node, ast.Lambda) for inner in ast.walk(node)}
    for call in context.calls():
        made = call.args[0] if call.args else None
        if call in dropped or call in deferred or not isinstance(made, ast.Call):
            continue
        if not isinstance(call.func, ast.Name | ast.Attribute) or not context.is_module_class(made.func):
            continue
        function = called_function(context, call)
        if function is not None and returns_nothing(function) and any(map(initializes, function.body)):
            yield DroppedInitializerResult(
                place=context.snippet.place(call),
                helper=dotted(call.func),
                target=context.snippet.source(made),
                returns_none=True,
                layer=True,
            )


def _fact(
    context: Context,
    statement: ast.stmt,
    call: ast.Call,
    target: ast.expr,
    *,
    returns_none: bool,
    written: bool = False,
) -> DroppedInitializerResult:
    return DroppedInitializerResult(
        place=context.snippet.place(statement),
        helper=dotted(call.func),
        target=context.snippet.source(target),
        written=written,
        returns_none=returns_none,
    )


def _given(function: FunctionNode, call: ast.Call) -> list[str]:
    """The parameters of a function that a call fills, without the object of a method."""
    given = [param.arg for param in parameters(function)]
    return given[1:] if given[:1] == ["self"] and isinstance(call.func, ast.Attribute) else given


def _writes_argument(function: FunctionNode, call: ast.Call) -> bool:
    """Whether a function writes into its first parameter as well."""
    name, *_ = _given(function, call)
    statements = [node.value for node in own_nodes(function) if isinstance(node, ast.Expr)]
    return any(isinstance(each, ast.Call) and _writes_into(each, name) for each in statements)


def _makes_anew(context: Context, function: FunctionNode, call: ast.Call) -> bool:
    """Whether a function binds its first parameter to a new tensor, and returns that.

    It may also return an expression with a new tensor. What it writes in place before that is not what it returns; what
    it may do behind that, nobody follows.
    """
    given = _given(function, call)
    if not given:
        return False
    name, returned, rebound, acts, made = given[0], False, list[ast.stmt](), list[ast.stmt](), list[bool]()
    for node in own_nodes(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=bound)], value=value) if bound == name:
                rebound += [node] if _is_new(context, value, name) else []
            case ast.Assign(targets=targets) if any(isinstance(t, ast.Attribute | ast.Subscript) for t in targets):
                return False
            case ast.AugAssign() | ast.Global() | ast.Nonlocal():
                return False
            case ast.Expr(value=value) if not isinstance(value, ast.Constant) and _may_act(value):
                acts.append(node)
            case ast.Return(value=ast.Name(id=back)) if back == name:
                returned = True
            case ast.Return(value=ast.Name() | ast.Constant() | None):
                return False
            case ast.Return(value=ast.expr() as value):
                made.append(_makes_tensor(context, value, name))
            case _:
                pass
    if made:
        return all(made) and not acts and not rebound
    return bool(rebound) and returned and all(begin(each) < min(map(begin, rebound)) for each in acts)


def _makes_tensor(context: Context, value: ast.expr, name: str) -> bool:
    """Whether an expression draws or fills a tensor of the size of a variable, and writes nothing into it."""
    calls = [node for node in ast.walk(value) if isinstance(node, ast.Call)]
    sized = any(isinstance(node, ast.Name) and node.id == name for each in calls for node in ast.walk(each))
    made = any((context.canonical(each.func) or "") in torch_api.NEW_TENSOR_FACTORIES for each in calls)
    return made and sized and not any(_writes_into(each, name) for each in calls)


@reads(DroppedInitializerResult, scope=Context, words=("weight bias", "'return'"), nearby="apply(")
def returned_to_apply(context: Context) -> Iterator[DroppedInitializerResult]:
    """A function for ``apply`` that makes new weights and returns them: ``apply`` drops what it returns."""
    function, element = context.function, first_parameter(context)
    if function is None or element is None or function.name not in applied_names(context):
        return
    made: dict[str, ast.Assign] = {}
    for node in own_nodes(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_of(value, element):
                made[name] = node
            case ast.Assign() | ast.AugAssign() | ast.Delete():
                return
            case ast.Expr(value=value) if not isinstance(value, ast.Constant) and _may_act(value):
                return
            case _:
                pass
    for node in own_nodes(function):
        match node:
            case ast.Return(value=ast.Name() | ast.Tuple() as value):
                names = [each.id for each in ast.walk(value) if isinstance(each, ast.Name)]
                first = next((made[name] for name in names if name in made), None)
                factories = [made[name] for name in names if name in made and _is_filled(context, made[name])]
                if first is not None and factories and set(names) <= set(made):
                    yield DroppedInitializerResult(
                        place=context.snippet.place(first), helper=function.name, target=element, applied=True
                    )
                    return


def _is_filled(context: Context, statement: ast.Assign) -> bool:
    calls = (node for node in ast.walk(statement.value) if isinstance(node, ast.Call))
    return any(context.canonical(each.func) in torch_api.NEW_TENSOR_FACTORIES for each in calls)


def _is_of(value: ast.expr, element: str) -> bool:
    """Whether an expression is made by the size of a weight or a bias of a variable."""
    sizes = [node for node in ast.walk(value) if isinstance(node, ast.Attribute) and node.attr in ("size", "shape")]
    owners = [each.value for each in sizes]
    return isinstance(value, ast.Call | ast.BinOp) and any(
        isinstance(owner, ast.Attribute) and owner.attr in ("weight", "bias") and dotted(owner.value) == element
        for owner in owners
    )


def _may_act(value: ast.expr) -> bool:
    return writes_in_place(value) or (isinstance(value, ast.Call) and dotted(value.func) not in ("print", "len"))


def _is_new(context: Context, value: ast.expr, name: str) -> bool:
    """Whether an expression is a new tensor, by what makes it or by arithmetic, and writes nothing into a variable."""
    if any(isinstance(node, ast.Call) and _writes_into(node, name) for node in ast.walk(value)):
        return False
    if isinstance(value, ast.Call) and makes_new(context.canonical(value.func) or ""):
        return True
    return isinstance(value, ast.BinOp) or any(
        isinstance(node, ast.Call) and _factory(dotted(node.func)) in torch_api.NEW_TENSOR_FACTORIES
        for node in ast.walk(value)
    )


def _writes_into(call: ast.Call, name: str) -> bool:
    """Whether a call may write in place into a variable, or through a view of it."""
    if not writes_in_place(call):
        return False
    written = [*call.args[:1], *(each.value for each in call.keywords if each.arg == "out")]
    written += [call.func.value] if isinstance(call.func, ast.Attribute) else []
    return any((first := root(node)) is not None and first.id == name for node in written)


def _factory(name: str) -> str:
    return f"torch.{name.rpartition('.')[2]}"
