"""Assignments that give a name a new tensor where the parameter that it stood for was meant."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.kept import is_used, read_by_closures, read_outside
from initaudit.analyzer.syntax.meaning import TENSORS, Names, Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.results import OUT_OF_PLACE, makes_new, writes_in_place
from initaudit.subjects.lost_writes import ReboundName

MOVES = {"to", "cuda", "cpu", "type_as", "requires_grad_", "view", "reshape", "detach", "contiguous", "float", "half"}
MADE = " ".join(f"{each.rpartition('.')[2]}(" for each in sorted(torch_api.NEW_TENSOR_FACTORIES))
WRITES = torch_api.OVERWRITES | {"mul_", "div_", "add_", "sub_", "clamp_"}


@reads(ReboundName, scope=Context, words="=weight =bias")
@reads(ReboundName, scope=Context, words=("parameters( state_dict(", "for"))
@reads(ReboundName, scope=Context, words=("'for'", "self", MADE), nearby="Parameter( register_parameter(")
def rebound_names(context: Context) -> Iterator[ReboundName]:
    """Names of parameters that are bound to a new tensor which nothing reads."""
    meanings = Meanings(context)
    bound_before = _bound_again(context) if context.function is not None else None
    for step in meanings.steps():
        yield from _item(context, meanings, step)
        match step.statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if bound_before is None or name in bound_before:
                pass
            case _:
                continue
        meaning = step.names.get(name)
        if meaning is None or meaning.what not in TENSORS or not _is_new(context, meanings, value, step.names):
            continue
        if any(_is_missing(name, test) for test in step.tests):
            continue
        if not step.reads_later(name) and not read_by_closures(context, name):
            yield ReboundName(
                place=context.snippet.place(step.statement),
                name=name,
                stood_for=meaning.source,
                value=context.snippet.source(value),
                in_loop=meaning.element,
            )


def _item(context: Context, meanings: Meanings, step: Step) -> Iterator[ReboundName]:
    """An item of a list of parameters that is put anew, where nothing takes it out of the list again."""
    match step.statement:
        case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name)) as item], value=value):
            pass
        case _:
            return
    held, meaning = step.names.get(name), meanings.meaning(item, step.names)
    if (
        held is None
        or held.what not in (What.PARAMETERS, What.STATES)
        or meaning is None
        or meaning.what not in TENSORS
    ):
        return
    if not _is_new(context, meanings, value, step.names) or read_by_closures(context, name):
        return
    if not is_used(context, name) and not read_outside(context, name):
        yield ReboundName(
            place=context.snippet.place(step.statement),
            name=context.snippet.source(item),
            stood_for=meaning.source,
            value=context.snippet.source(value),
            in_loop=False,
        )


def _bound_again(context: Context) -> set[str]:
    """The names that a function binds more than once, and its parameters."""
    stored = [node.id for node in context.walk() if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)]
    given = {node.arg for node in context.walk() if isinstance(node, ast.arg)}
    return given | {name for name, count in Counter(stored).items() if count > 1}


def _is_missing(name: str, test: ast.expr) -> bool:
    """Whether a test holds only where a name stands for nothing."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(_is_missing(name, each) for each in test.values)
    return ast.unparse(test) in (f"{name} is None", f"{name} == None")


def _is_new(context: Context, meanings: Meanings, value: ast.expr, names: Names) -> bool:
    """Whether an expression makes a new tensor, and does nothing else."""
    match value:
        case ast.Call(func=ast.Attribute(value=inner, attr=method)) if method in WRITES and isinstance(inner, ast.Call):
            return _is_new(context, meanings, inner, names)  # a new tensor is written
        case ast.Call(func=function, args=[ast.Call() as inner, *_]):
            by = context.canonical(function) or ""
            if by.startswith(torch_api.INIT):
                return _is_new(context, meanings, inner, names)
            if by == "torch.nn.Parameter" and _is_new(context, meanings, inner, names):
                return True
    if writes_in_place(value):
        return False
    match value:
        case ast.Attribute(value=inner, attr=view) if view in torch_api.VIEW_ATTRIBUTES:
            return _is_new(context, meanings, inner, names)
        case ast.BinOp(left=left, right=right):
            return _is_tensor(context, meanings, left, names) or _is_tensor(context, meanings, right, names)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _is_tensor(context, meanings, operand, names)
        case ast.Call(func=function, args=args):
            name = context.canonical(function)
            if name in torch_api.NEW_TENSOR_FACTORIES or name == "torch.nn.Parameter":
                return True
            if name is not None:
                return makes_new(name) and any(_is_tensor(context, meanings, arg, names) for arg in args)
            if isinstance(function, ast.Attribute):
                copied = function.attr in OUT_OF_PLACE | {"clone", "new_zeros", "new_ones", "new_full", "new_empty"}
                moved = function.attr in MOVES
                if copied or moved:
                    made = _is_new(context, meanings, function.value, names)
                    return made or (copied and meanings.meaning(function.value, names) is not None)
    return False


def _is_tensor(context: Context, meanings: Meanings, node: ast.expr, names: Names) -> bool:
    """Whether an operand is a parameter, or a new tensor."""
    meaning = meanings.meaning(node, names)
    return (meaning is not None and meaning.what in TENSORS) or _is_new(context, meanings, node, names)
