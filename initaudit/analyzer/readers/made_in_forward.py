"""Layers and parameters that a forward makes and uses, and that no module keeps."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import Defined, External
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import FunctionNode
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.structure import all_below
from initaudit.analyzer.syntax.tensor_uses import is_true
from initaudit.subjects.registration import MadeInForward

PARAMETER = "torch.nn.Parameter"
LAYERS = {f"torch.nn.{name}" for name in torch_api.DRAWN}
RANDOM = {"torch.rand", "torch.randn", "torch.normal"}
CONSTANT = {"torch.zeros", "torch.ones", "torch.full"}
MOVES = torch_api.RETURN_THE_MODULE | {"type_as"}
TRAINS = {"backward", "grad", "step"}
"""Names of methods that a forward calls which trains something itself."""


@reads(MadeInForward, scope=Context, words="cuda( to( Parameter(", named="forward")
@reads(MadeInForward, scope=Context, words="Linear( Conv*( Embedding*( RNN*( LSTM*( GRU*( Attention(", named="forward")
def made_in_forward(context: Context) -> Iterator[MadeInForward]:
    """``nn.Linear(8, 8)(x)`` in a forward, or the same by a local name that is only called."""
    function, cls = context.function, context.cls
    if function is None or cls is None or function.name != "forward" or not context.project.is_module_class(cls):
        return
    if any(isinstance(node, ast.Attribute) and node.attr in TRAINS for node in context.walk()):
        return
    for call in context.calls():
        drawn = _is_made(context, call)
        if drawn is None or _is_inside_function(context, call) or not _is_only_used(context, call):
            continue
        yield MadeInForward(
            place=context.snippet.place(call),
            model=cls.qualname,
            source=context.snippet.source(call),
            drawn=drawn,
        )


def _is_made(context: Context, call: ast.Call) -> bool | None:
    """Whether a call makes random weights, or constant ones to be trained; None if it makes neither."""
    found = context.resolve(call.func)
    if isinstance(found, Defined):
        if not found.definition.is_class or not context.project.is_module_class(found):
            return None
        below = all_below(context.project, found)
        return True if below and any(layer.kind in LAYERS for layer in below) else None
    if not isinstance(found, External):
        return None
    if found.name == PARAMETER:
        if len(call.args) != 1 or any(not is_true(keyword.value) for keyword in call.keywords):
            return None
        made = context.canonical(call.args[0].func) if isinstance(call.args[0], ast.Call) else None
        return made in RANDOM if made in RANDOM | CONSTANT else None
    return True if found.name in LAYERS else None


def _is_inside_function(context: Context, node: ast.AST) -> bool:
    """Whether code stands in a function, a lambda or a class that the forward defines."""
    inside = itertools.takewhile(lambda each: each is not context.function, context.snippet.around(node))
    return any(isinstance(each, FunctionNode | ast.Lambda | ast.ClassDef) for each in inside)


def _is_only_used(context: Context, call: ast.Call) -> bool:
    """Whether what a call makes is only called, or computed with, at once or by a local name."""
    is_layer = context.canonical(call.func) != PARAMETER
    node, parent = _moved(context, call)
    if is_layer and isinstance(parent, ast.Call) and context.canonical(parent.func) == "torch.nn.Sequential":
        node, parent = _moved(context, parent)
    match parent:
        case (
            ast.Assign(targets=[ast.Name(id=name) as target], value=value)
            | ast.AnnAssign(target=ast.Name(id=name) as target, value=value)
        ) if value is node:
            named = context.named(name)
            bound = [each for each in named if not isinstance(each.ctx, ast.Load) and each is not target]
            moves = [each for each in named if _is_moved_again(context, each)]
            used = [each for each in named if isinstance(each.ctx, ast.Load) and each not in moves]
            return (
                len(bound) == len(moves)
                and bool(used)
                and all(_is_use(context, each, is_layer=is_layer) for each in used)
                and any(_may_train(context, each) for each in used)
            )
    return _is_use(context, node, is_layer=is_layer) and _may_train(context, node)


def _moved(context: Context, node: ast.AST) -> tuple[ast.AST, ast.AST | None]:
    """A module or tensor after the methods that move it, and what stands around that."""
    parents = context.snippet.parents
    while True:
        parent = parents.get(node)
        called = parents.get(parent) if isinstance(parent, ast.Attribute) and parent.attr in MOVES else None
        if not isinstance(called, ast.Call) or called.func is not parent:
            return node, parent
        node = called


def _is_use(context: Context, node: ast.AST, *, is_layer: bool) -> bool:
    """Whether a layer is called with something, or a parameter is one side of an operator."""
    node, parent = _moved(context, node)
    if is_layer:
        return isinstance(parent, ast.Call) and parent.func is node and bool(parent.args)
    return isinstance(parent, ast.BinOp)


def _may_train(context: Context, node: ast.AST) -> bool:
    """Whether the result of a use is recorded by autograd, and has values that code reads."""
    used, parent = _moved(context, node)
    return parent is not None and not _is_without_gradient(context, used) and _has_readers(context, parent)


def _is_without_gradient(context: Context, node: ast.AST) -> bool:
    """Whether code stands under ``no_grad`` or ``inference_mode``."""
    for around in (node, *context.snippet.around(node)):
        given = []
        if isinstance(around, ast.With | ast.AsyncWith):
            given = [each.context_expr for each in around.items]
        elif isinstance(around, FunctionNode):
            given = around.decorator_list
        called = [each.func if isinstance(each, ast.Call) else each for each in given]
        if any(context.canonical(each) in ("torch.no_grad", "torch.inference_mode") for each in called):
            return True
    return False


def _has_readers(context: Context, node: ast.AST) -> bool:
    """Whether code may read the values of a result, and not only its sizes."""
    match context.snippet.parents.get(node):
        case ast.Attribute(attr=name):
            return name not in torch_api.NO_DATA
        case ast.Call(func=ast.Name(id="len")):
            return False
        case ast.Assign(targets=[ast.Name(id=name) as target]):
            named = context.named(name)
            loads = [each for each in named if isinstance(each.ctx, ast.Load)]
            once = all(each is target for each in named if each not in loads)
            return not (once and loads) or any(_has_readers(context, each) for each in loads)
    return True


def _is_moved_again(context: Context, node: ast.Name) -> bool:
    """Whether what a name stands for is only moved, and keeps its name: ``layer = layer.to(device)``."""
    moved, parent = _moved(context, node)
    match parent:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return value is moved is not node and name == node.id
    return False
