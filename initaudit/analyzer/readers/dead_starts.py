"""Layers that start at zero right before a ReLU, so that no gradient ever reaches them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.usage import OBJECT, WALKS
from initaudit.analyzer.programs.verdict import drawn_by_programs
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import dotted, last_name, nodes, spelled
from initaudit.analyzer.syntax.context import Context, method, stretches
from initaudit.analyzer.syntax.structure import without
from initaudit.analyzer.syntax.tensor_uses import in_optimizer
from initaudit.analyzer.syntax.walks import written
from initaudit.subjects.weights import DeadStart

RECTIFIERS = {"torch.nn.ReLU", "torch.nn.ReLU6"}
"""Activations whose gradient is zero at zero."""

ASKS = {"isinstance", "hasattr", "getattr", "type", "print", "len", "str", "repr", "append"}
"""Functions that leave a layer as it is."""
REDRAWS = {"apply", "load_state_dict", "reset_parameters"}
"""Methods by which code may give every layer of an object other values."""


@reads(DeadStart, scope=Context, words=("ReLU( ReLU6(", "zeros_( zero_( constant_( fill_("), nearby="Sequential(")
def dead_starts(context: Context) -> Iterator[DeadStart]:
    """``nn.init.zeros_(out.weight)``, where ``nn.Sequential`` puts ``out``, which has no bias, before ``nn.ReLU()``."""
    function = context.function
    body = function.body if function is not None else context.snippet.body
    zeroed = dict(_zeroed(context, body)) if not _may_draw_again(context) else {}
    for call, holder in _sequences(context) if zeroed else ():
        for position, (layer, rectifier) in enumerate(zip(call.args, call.args[1:], strict=False)):
            if not isinstance(rectifier, ast.Call) or context.canonical(rectifier.func) not in RECTIFIERS:
                continue
            name, made = _made(context, layer, f"{holder}[{position}]")
            kind = (context.canonical(made.func) or "").removeprefix("torch.nn.") if made is not None else ""
            at = zeroed.get(f"{name}.weight")
            if made is None or at is None or kind not in torch_api.LINEAR_LIKE:
                continue
            bare = without(kind, made, "bias") is True
            names = _names(context, name, holder, position, len(call.args))
            dead = bare or (f"{name}.bias" in zeroed and not _is_touched(context, names, holder, "bias"))
            if dead and not _is_touched(context, names, holder, "weight") and not _is_drawn_later(context):
                yield DeadStart(
                    place=context.snippet.place(at),
                    layer=name,
                    rectifier=context.snippet.source(rectifier),
                    sequence=context.snippet.place(call),
                    biased=not bare,
                )


def _may_draw_again(context: Context) -> bool:
    """Whether code calls something that may initialize all layers of an object."""
    return any(
        _redraws(last_name(call.func)) or (last_name(call.func) in WALKS and not in_optimizer(context, call))
        for call in context.calls()
        if not (context.canonical(call.func) or "").startswith(torch_api.INIT)
    )


def _is_drawn_later(context: Context) -> bool:
    """Whether what builds the class, or other code of the file, may initialize all layers of an object.

    A class that calls its own methods initializes its own layers.
    """
    cls = context.cls
    if cls is not None and context.project.is_module_class(cls):
        return drawn_by_programs(context.project, cls)
    module = context.module
    called = {name for part in module.parts() for name in module.usage_of(*part).called}
    parts = (name.rpartition(".") for name in called)
    return any(_redraws(last) for owner, _, last in parts if owner != OBJECT)


def _redraws(name: str) -> bool:
    """Whether a function of this name may initialize all layers."""
    return name in REDRAWS or ("init" in name and name != "__init__")


def _sequences(context: Context) -> Iterator[tuple[ast.Call, str]]:
    """The sequences that are given a name, and that name."""
    for node in context.walk():
        match node:
            case (
                ast.Assign(targets=[target], value=ast.Call(func=function) as call)
                | ast.AnnAssign(target=target, value=ast.Call(func=function) as call)
            ):
                if context.canonical(function) == "torch.nn.Sequential":
                    yield call, ast.unparse(target)
            case _:
                pass


def _made(context: Context, layer: ast.expr, item: str) -> tuple[str, ast.Call | None]:
    """What a layer of a sequence is called, and the only call that makes it."""
    if isinstance(layer, ast.Call):
        return item, layer
    name = ast.unparse(layer)
    made: list[ast.expr | None] = []
    for node in context.walk():
        match node:
            case ast.Assign(targets=targets, value=value) if name in map(ast.unparse, targets):
                made.append(value)
            case ast.AnnAssign(target=target, value=value) if name == ast.unparse(target):
                made.append(value)
    return name, made[0] if len(made) == 1 and isinstance(made[0], ast.Call) else None


def _zeroed(context: Context, body: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """The parameters that statements set to zero, without a condition."""
    for statement in body:
        match statement:
            case ast.Expr(value=ast.Call(func=function, args=args) as call):
                target = written(context, call)
            case _:
                continue
        last = ast.unparse(function).rpartition(".")[2]
        value = args[-1] if args and last in ("constant_", "fill_") else None
        if last in ("zeros_", "zero_") or (isinstance(value, ast.Constant) and value.value == 0):
            yield ast.unparse(target).removesuffix(".data") if target is not None else "", statement


def _names(context: Context, name: str, holder: str, position: int, length: int) -> set[str]:
    """What code calls a layer: its name, an item of its sequence, and a variable that is given one of these."""
    names = {name, f"{holder}[{position}]", f"{holder}[{position - length}]"}
    for node in context.walk():
        match node:
            case ast.Assign(targets=[ast.Name(id=variable)], value=value) if ast.unparse(value) in names:
                names.add(variable)
            case _:
                pass
    return names


def _is_touched(context: Context, names: set[str], holder: str, parameter: str) -> bool:
    """Whether code beside the one statement that sets a parameter of a layer to zero may write it."""
    mentions = 0
    for node in _all_nodes(context):
        match node:
            case ast.Attribute(value=owner, attr=name) if name == parameter:
                mentions += _stands_for(owner, names, holder)
            case ast.Subscript(ctx=ast.Store() | ast.Del()) if _stands_for(node, names, holder):
                return True
            case ast.For(iter=iterated, body=body) if any(
                spelled(each) == holder for each in nodes(iterated) if isinstance(each, ast.expr)
            ):
                if _writes(body, {each.id for each in nodes(node.target) if isinstance(each, ast.Name)}):
                    return True
            case _:
                pass
    return mentions > 1


def _all_nodes(context: Context) -> Iterator[ast.AST]:
    """The nodes of a scope: of all top-level code, of a method also those of the others but the forward."""
    if context.function is None:
        yield from (node for stretch in stretches(context) for node in stretch.walk())
        return
    yield from context.walk()
    cls = context.cls
    for name in cls.definition.members if cls is not None else ():
        other = method(context, name) if name != "forward" else None
        if other is not None and other.definition != context.definition:
            yield from other.walk()


def _stands_for(node: ast.expr, names: set[str], holder: str) -> bool:
    """Whether an expression is a layer, or an item of its sequence that is chosen when the code runs."""
    if isinstance(node, ast.Subscript) and spelled(node.value) == holder and not isinstance(node.slice, ast.Constant):
        return not isinstance(node.slice, ast.UnaryOp) or ast.unparse(node) in names
    return ast.unparse(node) in names


def _writes(body: Sequence[ast.stmt], variables: set[str]) -> bool:
    """Whether the body of a loop writes what its variables name, or hands that on."""
    for node in (inner for statement in body for inner in nodes(statement)):
        match node:
            case ast.Call(func=function, args=args):
                last = last_name(function)
                if last.endswith("_") or (last not in ASKS and variables & {dotted(each) for each in args}):
                    return True
            case ast.Attribute(ctx=ast.Store()):
                return True
            case _:
                pass
    return False
