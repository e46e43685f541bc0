"""Raw memory that is no parameter: an attribute that a forward reads, a variable that is trained.

A tensor counts as written as soon as anything may have done it: an assignment, a method that ends in an underscore, a
function that is given the tensor and is not one of torch's that only read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.exports import only_exports
from initaudit.analyzer.source.snippets import FunctionNode, begin
from initaudit.analyzer.syntax.context import Class, Context, own_attribute, own_constructor
from initaudit.analyzer.syntax.meaning import bound_in
from initaudit.analyzer.syntax.numbers import is_whole_number
from initaudit.analyzer.syntax.only_read import first_read
from initaudit.analyzer.syntax.scopes import scopes_holding
from initaudit.analyzer.syntax.tensor_uses import MOVES, in_optimizer, is_harmless, is_read, requires_grad
from initaudit.subjects.weights import RawTensor

WRAPPERS = {"torch.autograd.Variable", "torch.Variable", "torch.nn.Parameter"}
GRADIENTS = {"backward", "grad", "jacobian", "hessian", "vjp", "jvp", "gradcheck"}
"""Names of functions and methods that compute a gradient."""


@reads(RawTensor, scope=Class, words="empty( Tensor(", nearby="forward")
def raw_attributes(scope: Class) -> Iterator[RawTensor]:
    """Attributes of a module that are raw memory, and that its forward reads and nothing writes."""
    project, cls = scope.project, scope.defined
    context = own_constructor(project, cls) if project.is_module_class(cls) else None
    if context is None or context.function is None:
        return
    for statement in context.function.body:
        match statement:
            case ast.Assign(targets=[target], value=value) if (name := own_attribute(target)) is not None:
                allocation = raw_allocation(context, value)
            case _:
                continue
        if allocation is None or allocation[1] == "torch.nn.Parameter":
            continue
        read = first_read(project, cls, name, target)
        if read is None:
            continue
        method, node = read
        yield RawTensor(
            place=context.snippet.place(value),
            name=f"self.{name}",
            call=allocation[0],
            used=method.snippet.place(node),
            recorded=requires_grad(value),
            exported=only_exports(project, cls.module),
            model=cls.qualname,
        )


@reads(RawTensor, scope=Context, words="empty( Tensor(", nearby="optim requires_grad")
def raw_variables(context: Context) -> Iterator[RawTensor]:
    """Variables of raw memory that are trained: an optimizer is given them, or they require a gradient and are used."""
    body = context.function.body if context.function is not None else context.snippet.body
    for statement in _simple(body):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                allocation = raw_allocation(context, value)
            case _:
                continue
        if allocation is None:
            continue
        later = (each for each in context.named(name) if begin(each) >= begin(statement))
        uses = [(context, node) for node in later if node is not statement.targets[0]]
        uses += _elsewhere(context, name)
        if any(not isinstance(node.ctx, ast.Load) and not _is_step(where, node) for where, node in uses):
            continue
        optimized = [node for where, node in uses if in_optimizer(where, node)]
        trained = bool(optimized) or any(_is_step(where, node) for where, node in uses)
        recorded = requires_grad(value)
        read = [(where, node) for where, node in uses if is_read(where, node)]
        harmless = (is_harmless(where, node) or _is_step(where, node) or node in optimized for where, node in uses)
        if (trained or recorded) and read and all(harmless):
            where, first = read[0]
            yield RawTensor(
                place=context.snippet.place(value),
                name=name,
                call=allocation[0],
                used=where.snippet.place(first),
                trained=trained,
                recorded=recorded,
                unused=not _computes_gradients(context),
            )


def _computes_gradients(context: Context) -> bool:
    """Whether a file computes a gradient, or a function of it returns what it computes."""
    if context.function is not None and any(isinstance(node, ast.Return) and node.value for node in context.walk()):
        return True
    module = context.module
    return any(not GRADIENTS.isdisjoint(module.usage_of(*part).names) for part in module.parts())


def _is_step(context: Context, node: ast.AST) -> bool:
    """Whether something is added to a tensor, or it is scaled: ``w -= rate * w.grad``."""
    parent = context.snippet.parents.get(node)
    return isinstance(parent, ast.AugAssign) and parent.target is node


def _elsewhere(context: Context, name: str) -> list[tuple[Context, ast.Name]]:
    """Where functions of a file, and top-level code behind these, use a name of its top level."""
    found: list[tuple[Context, ast.Name]] = []
    for start, end, definition in scopes_holding(context.module, ((name,),)) if context.function is None else ():
        known = definition is not None or start > context.snippet.start
        snippet = context.module.quiet_snippet(start, end) if known else None
        first = snippet.body[0] if snippet is not None and definition is not None else None
        if snippet is None or (
            definition is not None and (not isinstance(first, FunctionNode) or name in bound_in(first))
        ):
            continue
        where = replace(context, definition=definition, snippet=snippet)
        found += [(where, node) for node in snippet.nodes if isinstance(node, ast.Name) and node.id == name]
    return found


def _simple(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run once, whatever the arguments."""
    for statement in body:
        if isinstance(statement, ast.With):
            yield from _simple(statement.body)
        else:
            yield statement


def raw_allocation(context: Context, value: ast.expr) -> tuple[str, str | None] | None:
    """The canonical name of what allocates raw memory, and of what wraps it, if an expression is nothing else."""
    wrapper: str | None = None
    while isinstance(value, ast.Call):
        name = context.canonical(value.func)
        if name in WRAPPERS and value.args:
            wrapper, value = name, value.args[0]
        elif name is not None and (name in torch_api.RAW_FACTORIES or name in torch_api.LEGACY_CONSTRUCTORS):
            return (name, wrapper) if _is_size(context, name, value) and not _is_meta(value) else None
        elif name is None and isinstance(value.func, ast.Attribute) and value.func.attr in MOVES:
            value = value.func.value
        else:
            return None
    return None


def _is_meta(call: ast.Call) -> bool:
    """Whether a call makes a tensor without memory."""
    return any(
        each.arg == "device" and isinstance(each.value, ast.Constant) and each.value.value == "meta"
        for each in call.keywords
    )


def _is_size(context: Context, name: str, call: ast.Call) -> bool:
    """Whether the arguments of a call can only be a size that is not zero."""
    if any(isinstance(arg, ast.Constant) and arg.value == 0 for arg in call.args):
        return False
    if name not in torch_api.LEGACY_CONSTRUCTORS:
        return torch_api.RAW_FACTORIES[name] == "size" and bool(call.args)
    return len(call.args) > 1 or (len(call.args) == 1 and is_whole_number(context, call.args[0]))
