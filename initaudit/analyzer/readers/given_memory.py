"""Models that get new memory by ``to_empty``, and are used before anything writes it."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Sequence

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.usage import usage
from initaudit.analyzer.project.names import Defined, External
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.tied_draws import tie
from initaudit.analyzer.source.snippets import dotted, last_name, nodes, parameters
from initaudit.analyzer.syntax.context import Context, function_context, in_order, own_constructor
from initaudit.analyzer.syntax.kept import read_outside
from initaudit.analyzer.syntax.meaning import Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.subjects.lost_on_meta import GivenMemory
from initaudit.subjects.weights import TiedDraw

READS = {
    "train", "eval", "to", "cuda", "cpu", "half", "float", "parameters", "named_parameters", "zero_grad", "state_dict",
    "requires_grad_", "compile", "training", "device", "dtype", "__class__",
}  # fmt: skip
"""Methods of a module that write none of its parameters."""
MAX_DEPTH = 3
COUNTS = {"print", "sum", "len", "id", "type", "repr", "str"}


@reads(GivenMemory, scope=Context, words="to_empty(")
def given_memory(context: Context) -> Iterator[GivenMemory]:
    """``model.to_empty(device="cuda")``, and the first use of the model, where all that stands between only reads."""
    meanings = Meanings(context)
    for step in meanings.steps():
        name = given(step.statement)
        if name is None or step.guarded or step.conditions or read_outside(context, name):
            continue
        meaning = step.names.get(name)
        built = isinstance(step.statement, ast.Assign) or (meaning is not None and meaning.what is What.MODULE)
        used = _used(context, step, name) if built else None
        if used is not None:
            yield GivenMemory(place=context.snippet.place(step.statement), model=name, used=context.snippet.place(used))


@reads(TiedDraw, scope=Context, words=("to_empty(", "meta"), nearby=".weight=")
def ties_lost(context: Context) -> Iterator[TiedDraw]:
    """A tie of a constructor that ran on the meta device: ``to_empty`` gives each of the two names its own memory."""
    for step in Meanings(context).steps():
        name = given(step.statement)
        meaning = step.names.get(name) if name is not None else None
        if name is None or meaning is None or step.guarded or not _built_on_meta(context, name):
            continue
        made = ast.parse(meaning.source, mode="eval").body
        cls = context.resolve(made.func) if isinstance(made, ast.Call) else None
        if not isinstance(cls, Defined) or _may_tie(context, cls, step.after, name):
            continue
        init = own_constructor(context.project, cls)
        for statement in in_order(init.function.body) if init is not None and init.function is not None else ():
            tied = tie(statement)
            if tied is not None and init is not None:
                yield TiedDraw(
                    place=context.snippet.place(step.statement),
                    model=cls.qualname,
                    name=f"{tied[0]}.weight",
                    other=f"{tied[1]}.weight",
                    tie=init.snippet.source(statement),
                    tied=init.snippet.place(statement),
                    first="",
                    by=context.snippet.source(step.statement),
                )
                return


def _may_tie(context: Context, cls: Defined, body: Sequence[ast.stmt], name: str, depth: int = 0) -> bool:
    """Whether statements give some layer another weight: themselves, or in what the model of this name is given to."""
    if depth > MAX_DEPTH or any(usage(body).gives("weight")):
        return True
    for call in (node for statement in body for node in nodes(statement) if isinstance(node, ast.Call)):
        match call.func:
            case ast.Attribute(value=ast.Name(id=owner), attr=called) if owner == name:
                found = context.project.method(cls, called)
                given = "self"
            case _:
                at = next((at for at, each in enumerate(call.args) if dotted(each) == name), None)
                if at is None or dotted(call.func) in COUNTS:
                    continue
                resolved = context.resolve(call.func)
                found = resolved if isinstance(resolved, Defined | External) else None
                given = _parameter(found, at) if isinstance(found, Defined) else ""
        if isinstance(found, External) and found.name.startswith("torch."):
            continue
        inner = function_context(context.project, found) if isinstance(found, Defined) else None
        if inner is None or inner.function is None or _may_tie(inner, cls, inner.function.body, given, depth + 1):
            return True
    return False


def _parameter(function: Defined, position: int) -> str:
    """The name of a parameter of a function."""
    found = function.module.function(function.definition)
    names = [each.arg for each in parameters(found[1])] if found is not None else []
    return names[position] if position < len(names) else ""


def _built_on_meta(context: Context, name: str) -> bool:
    return any(
        isinstance(node, ast.With)
        and any(_is_meta(context, item.context_expr) for item in node.items)
        and any(isinstance(each, ast.Assign) and name in map(dotted, each.targets) for each in node.body)
        for node in context.walk()
    )


def _is_meta(context: Context, device: ast.expr) -> bool:
    """Whether an expression, or what is assigned to it, says the device without memory."""
    assigned = context.assigned(name) if (name := dotted(device)) else ()
    return any("meta" in usage([value]).texts for value in (device, *assigned))


def given(statement: ast.stmt) -> str | None:
    """The name of the model that a statement gives new memory."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="to_empty"))):
            return name
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Attribute(attr="to_empty"))):
            return name
    return None


def _used(context: Context, step: Step, name: str) -> ast.expr | None:
    """What computes with the model or trains it, in the statements behind; None where something else may write it."""
    used: ast.expr | None = None
    parents = context.snippet.parents
    for statement in step.after:
        for node in nodes(statement):
            if not isinstance(node, ast.Name) or node.id != name:
                continue
            match parents.get(node):
                case ast.Call(func=function) as call if function is node:
                    used = used or call
                case ast.Attribute(attr=attr) as read if isinstance(node.ctx, ast.Load) and attr in READS:
                    if _is_written(context, read):
                        return None
                    if (optimizer := _optimizer(context, read)) is not None:
                        used = used or optimizer
                case ast.Call(func=ast.Name(id=function)) if function in COUNTS:
                    pass
                case _:
                    return None
    return used


def _is_written(context: Context, read: ast.AST) -> bool:
    """Whether the parameters are gone through one by one, or given to something that may write them."""
    for node in context.snippet.around(read):
        if isinstance(node, ast.stmt):
            return isinstance(node, ast.For)
        last = last_name(node.func) if isinstance(node, ast.Call) else ""
        if last.endswith("_") and last != "clip_grad_norm_":
            return True
    return False


def _optimizer(context: Context, read: ast.AST) -> ast.Call | None:
    """The call of an optimizer that something is given to."""
    inside = itertools.takewhile(lambda each: not isinstance(each, ast.stmt), context.snippet.around(read))
    calls = (each for each in inside if isinstance(each, ast.Call))
    return next((call for call in calls if (context.canonical(call.func) or "").startswith(torch_api.OPTIMIZERS)), None)
