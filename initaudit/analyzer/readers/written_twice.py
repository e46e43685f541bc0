"""Parameters that one statement writes in full, and the next, or each branch of it, once more."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.usage import usage
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import dotted, last_name
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meaning import Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.walks import written
from initaudit.finding import Observer
from initaudit.subjects.order import Overwritten

IN_FULL = {"normal_", "uniform_", "zero_", "fill_", "zeros_", "ones_", "constant_"} | {
    "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_", "trunc_normal_",
}  # fmt: skip
WRITES = " ".join(f"{name}(" for name in sorted(IN_FULL))


@reads(Overwritten, scope=Context, words=WRITES, nearby="nn")
def written_twice(context: Context) -> Iterator[Overwritten]:
    """``init.ones_(m.weight)`` and ``init.zeros_(m.weight)`` with nothing between them but writes of others.

    The second may stand in each branch of an ``if``. Where a layer is made between them that nothing writes behind it,
    the second was to write that.
    """
    meanings = Meanings(context)
    for step in meanings.steps():
        first = _written(context, step.statement)
        if first is None or (again := _again(context, step.after, first)) is None:
            continue
        meaning = meanings.meaning(first, step.names)
        if meaning is not None and meaning.what is What.PARAMETER:
            left = _left(context, step.after, again)
            yield Overwritten(
                observer=Observer.ANALYZER,
                place=context.snippet.place(step.statement if left is None else again),
                source=context.snippet.source(step.statement),
                by=context.snippet.source(again),
                at_once=True,
                branched=left is None and again not in step.after,
                spare=left is None and _is_spare(step.after, first),
                left=left,
                again=context.snippet.place(again if left is None else step.statement),
                model=context.cls.qualname if context.cls is not None else None,
                parameter=context.snippet.source(first).removeprefix("self."),
            )


@reads(Overwritten, scope=Context, words=WRITES, nearby="nn")
def replaced(context: Context) -> Iterator[Overwritten]:
    """``nn.init.zeros_(net.fc.bias)`` and then ``net.fc = nn.Linear(...)``, with nothing of the model between them."""
    for step in Meanings(context).steps():
        first = _written(context, step.statement)
        layer = first.value if isinstance(first, ast.Attribute) and first.attr in ("weight", "bias") else None
        if not isinstance(layer, ast.Attribute) or step.guarded:
            continue
        again = _replaced(context, step, layer)
        if again is not None:
            yield Overwritten(
                observer=Observer.ANALYZER,
                place=context.snippet.place(step.statement),
                source=context.snippet.source(step.statement),
                by=context.snippet.source(again),
                at_once=True,
                replaces=True,
                again=context.snippet.place(again),
                model=context.cls.qualname if context.cls is not None else None,
                parameter=ast.unparse(first).removeprefix("self.") if first is not None else None,
            )


def _replaced(context: Context, step: Step, layer: ast.Attribute) -> ast.Assign | None:
    """The statement behind that puts a new layer in the place of another, where only writes stand between."""
    root = dotted(layer).partition(".")[0]
    for later in step.after:
        match later:
            case ast.Assign(targets=[target], value=ast.Call(func=made)) if dotted(target) == dotted(layer):
                return later if context.is_module_class(made) and not _uses(later.value, layer) else None
            case ast.Assign(targets=[ast.Attribute()], value=ast.Call(func=made)) if context.is_module_class(
                made
            ) and not _uses(later.value, layer):
                continue  # another layer
        names = {node.id for node in ast.walk(later) if isinstance(node, ast.Name)}
        if root in names and _written(context, later) is None:
            return None
    return None


def _uses(value: ast.expr, layer: ast.Attribute) -> bool:
    """Whether an expression names a layer, or the whole object that has it."""
    inner = {node.value for node in ast.walk(value) if isinstance(node, ast.Attribute)}
    whole = {node.id for node in ast.walk(value) if isinstance(node, ast.Name) and node not in inner}
    return dotted(layer) in usage([value]).dotted or dotted(layer).partition(".")[0] in whole


def _written(context: Context, statement: ast.stmt) -> ast.expr | None:
    """What a statement writes in full, and nothing else."""
    match statement:
        case ast.Expr(value=ast.Call(func=function) as call):
            name = last_name(function)
            known = (context.canonical(function) or torch_api.INIT).startswith(torch_api.INIT)
            return written(context, call) if name in IN_FULL and known else None
    return None


def _again(context: Context, later: Sequence[ast.stmt], first: ast.expr) -> ast.stmt | None:
    """The statement behind that writes the same in full, where only writes of other things stand between.

    Of an ``if`` all of whose branches write it, it is that of the last branch.
    """
    for statement in later:
        if isinstance(statement, ast.If):
            if _asks_for_bias(statement, first):
                return _again(context, statement.body, first)
            branches = [_again(context, body, first) for body in (statement.body, statement.orelse)]
            return branches[-1] if all(branches) and ast.dump(first) not in ast.dump(statement.test) else None
        target = _written(context, statement)
        if target is None:
            if _made(context, statement, first) is None:
                return None
        elif ast.dump(target) == ast.dump(first):
            return None if _reads(statement, target) else statement
    return None


def _made(context: Context, statement: ast.stmt, written: ast.expr) -> str | None:
    """The other attribute that a statement makes a layer for, from nothing of the object but what is not written."""
    layer = written.value if isinstance(written, ast.Attribute) else None
    match statement:
        case ast.Assign(targets=[ast.Attribute() as target], value=ast.Call(func=made) as value):
            another = isinstance(layer, ast.Attribute) and dotted(target) != dotted(layer) and not _uses(value, layer)
            return dotted(target) if another and context.is_module_class(made) else None
    return None


def _asks_for_bias(statement: ast.If, weight: ast.expr) -> bool:
    """``if m.bias is not None:`` before code that writes ``m.weight``, and nothing of the bias."""
    if not isinstance(weight, ast.Attribute) or weight.attr != "weight":
        return False
    bias = f"{dotted(weight.value)}.bias"
    test = statement.test
    every = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
    return any(_is_there(each, bias) for each in every) and bias not in usage(statement.body).dotted


def _is_there(test: ast.expr, bias: str) -> bool:
    """Whether a test holds only where a layer has its bias."""
    match test:
        case ast.Compare(left=left, ops=[ast.IsNot() | ast.NotEq()], comparators=[ast.Constant(value=None)]):
            return dotted(left) == bias
    return dotted(test) == bias


def _left(context: Context, later: Sequence[ast.stmt], again: ast.stmt) -> str | None:
    """What was meant to be written: a layer made before a statement, or a bias it asks for, that nothing writes."""
    target = _written(context, again)
    if target is None:
        return None
    for statement in later:
        if isinstance(statement, ast.If) and again in statement.body and isinstance(target, ast.Attribute):
            return f"{dotted(target.value)}.bias" if _asks_for_bias(statement, target) else None
    if again not in later:
        return None
    made = [_made(context, each, target) for each in later[: list(later).index(again)]]
    read = {each.rpartition(".")[0] for each in usage(later).dotted if each.endswith((".weight", ".bias"))}
    return next((name for name in made if name is not None and name not in read), None)


def _is_spare(later: Sequence[ast.stmt], first: ast.expr) -> bool:
    """Whether code behind writes the other parameter of the same layer, of which there are only two."""
    if not isinstance(first, ast.Attribute) or not isinstance(first.value, ast.Name):
        return False
    other = f"{first.value.id}.{'bias' if first.attr == 'weight' else 'weight'}."
    calls = (node for each in later for node in ast.walk(each) if isinstance(node, ast.Call))
    return any(f"{dotted((call.args or [call.func])[0])}.".startswith(other) for call in calls)


def _reads(statement: ast.stmt, target: ast.expr) -> bool:
    """Whether a call that writes a parameter is also given numbers that are made from it."""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    call, text = statement.value, ast.dump(target)
    given = [*call.args, *(each.value for each in call.keywords)]
    numbers = [each for each in given if all(node is not target for node in ast.walk(each))]
    return any(text in ast.dump(each) for each in numbers)
