"""Tensors that are assigned to the name of a parameter, which torch refuses."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import Defined, External
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import spelled
from initaudit.analyzer.syntax.context import Context, function_context
from initaudit.analyzer.syntax.expressions import RECURRENT
from initaudit.analyzer.syntax.functions import own_nodes
from initaudit.analyzer.syntax.meaning import Names, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.results import OUT_OF_PLACE, makes_new
from initaudit.subjects.lost_writes import AssignedTensor

LAYERS = {f"torch.nn.{name}" for name in (*torch_api.LINEAR_LIKE, *torch_api.NORMALIZATIONS, "Embedding")}
MAKERS = {
    *torch_api.NEW_TENSOR_FACTORIES, *torch_api.LEGACY_CONSTRUCTORS, "torch.from_numpy", "torch.tensor",
    "torch.as_tensor",
}  # fmt: skip
METHODS = OUT_OF_PLACE | {"clone", "detach", "t"}
"""Methods whose result is a plain tensor, of a parameter too."""
KEEP_KIND = METHODS | {"float", "double", "to", "normal_", "uniform_"}


@reads(AssignedTensor, scope=Context, words=".weight= .bias=")
@reads(AssignedTensor, scope=Context, words=("setattr(", "weight bias named_parameters("))
def assigned_tensors(context: Context) -> Iterator[AssignedTensor]:
    """``layer.weight = torch.randn(...)`` where the layer is one of torch's."""
    meanings = Meanings(context)
    for step in meanings.steps():
        match step.statement:
            case ast.Assign(
                targets=[ast.Attribute(value=owner, attr="weight" | "bias" as name) as target], value=value
            ):
                pass
            case ast.Expr(
                value=ast.Call(
                    func=ast.Name(id="setattr"), args=[owner, ast.Constant(value="weight" | "bias" as name), value]
                )
            ):
                target = ast.copy_location(ast.Attribute(owner, name, ast.Store()), owner)
            case ast.Expr(value=ast.Call(func=ast.Name(id="setattr"), args=[owner, ast.Name(id=name), value])):
                target = ast.copy_location(ast.Attribute(owner, name, ast.Store()), owner)
            case _:
                continue
        if isinstance(name, str) and name not in ("weight", "bias"):
            walked = step.names.get(name)
            named = walked is not None and walked.what is What.NAME and walked.source.endswith("named_parameters()")
            of_owner = walked is not None and walked.source.rpartition(".")[0] == ast.unparse(owner)
            if not named or not of_owner:
                continue
        layer = meanings.meaning(owner, step.names)
        known = LAYERS if name in ("weight", "bias") else LAYERS | RECURRENT
        if layer is None or layer.what is not What.MODULE or not layer.kinds or not set(layer.kinds) <= known:
            continue
        if step.guarded or _taken_out(context, target):
            continue
        if _is_plain_tensor(context, meanings, value, step.names):
            yield AssignedTensor(
                place=context.snippet.place(step.statement),
                target=f"{context.snippet.source(owner)}.{name}",
                value=context.snippet.source(value),
                name=name,
            )


@reads(AssignedTensor, scope=Context, words="register_parameter(")
def registered_tensors(context: Context) -> Iterator[AssignedTensor]:
    """``self.register_parameter("weight", torch.rand(n))``."""
    meanings = Meanings(context)
    for step in meanings.steps():
        match step.statement:
            case ast.Expr(
                value=ast.Call(
                    func=ast.Attribute(attr="register_parameter", value=owner),
                    args=[ast.Constant(value=str(name)), value],
                ) as call
            ) if not step.guarded and _is_plain_tensor(context, meanings, _only_value(context, value), step.names):
                yield AssignedTensor(
                    place=context.snippet.place(call),
                    target=f"{context.snippet.source(owner)}.{name}",
                    value=context.snippet.source(value),
                    name=name,
                    registers=True,
                )
            case _:
                pass


def _only_value(context: Context, value: ast.expr) -> ast.expr:
    """What a name is given, where the code binds it once; otherwise the expression itself."""
    if not isinstance(value, ast.Name):
        return value
    given, bound = context.assigned(value.id), [not isinstance(each.ctx, ast.Load) for each in context.named(value.id)]
    return given[0] if len(given) == 1 == sum(bound) else value


def _taken_out(context: Context, target: ast.Attribute) -> bool:
    """Whether the parameter is deleted, registered as None or computed from others: a tensor may be assigned then."""
    for node in context.walk():
        match node:
            case ast.Call(func=function, args=[layer, *_]) if spelled(layer) == spelled(target.value):
                if (context.canonical(function) or "").startswith("torch.nn.utils."):
                    return True
            case ast.Delete(targets=targets) if ast.unparse(target) in map(ast.unparse, targets):
                return True
            case ast.Call(func=ast.Name(id="delattr") | ast.Attribute(attr="__delattr__" | "register_parameter")):
                return True
            case ast.Attribute(attr="_parameters"):
                return True
    return False


def _is_plain_tensor(context: Context, meanings: Meanings, value: ast.expr, names: Names) -> bool:
    """Whether an expression is surely a tensor and no parameter."""
    match value:
        case ast.BinOp(left=left, right=right):
            sides = (left, right)
            return any(
                _is_plain_tensor(context, meanings, side, names) or _is_parameter(meanings, side, names)
                for side in sides
            )
        case ast.Call(func=function, args=args):
            found = context.resolve(function)
            if isinstance(found, Defined):
                return _returns_tensor(context, found)
            if isinstance(found, External):
                if found.name.startswith(torch_api.INIT) and args:
                    return _is_plain_tensor(context, meanings, args[0], names)
                return found.name in MAKERS or makes_new(found.name)
            if isinstance(function, ast.Attribute) and found is None and function.attr in KEEP_KIND:
                inner = function.value
                of_parameter = function.attr in METHODS and _is_parameter(meanings, inner, names)
                return of_parameter or _is_plain_tensor(context, meanings, inner, names)
        case ast.Attribute(value=inner, attr="data"):
            return _is_parameter(meanings, inner, names)
    return False


def _returns_tensor(context: Context, function: Defined) -> bool:
    """Whether all that a function of the project returns are tensors that it makes: none of them is a parameter."""
    made = function_context(context.project, function) if not function.definition.is_class else None
    if made is None or made.function is None or made.function.decorator_list:
        return False
    back = [node.value for node in own_nodes(made.function) if isinstance(node, ast.Return)]
    bound = {
        target.id: node.value
        for node in own_nodes(made.function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    stored = [node.id for node in made.walk() if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    values = [
        bound.get(each.id) if isinstance(each, ast.Name) and stored.count(each.id) == 1 else each for each in back
    ]
    meanings = Meanings(made)
    return bool(values) and all(value is not None and _is_plain_tensor(made, meanings, value, {}) for value in values)


def _is_parameter(meanings: Meanings, node: ast.expr, names: Names) -> bool:
    found = meanings.meaning(node, names)
    return found is not None and found.what is What.PARAMETER
