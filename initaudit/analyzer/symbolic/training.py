"""Where a program trains a model. What it loads into the model afterwards was not there while it was trained."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.source.snippets import dotted
from initaudit.analyzer.symbolic.conditions import TRUE, Condition, all_of, any_of
from initaudit.analyzer.symbolic.run import Run
from initaudit.analyzer.symbolic.values import Api, Class, Function, Instance, Memory, Tensor, Value, inside, leaves

OPTIMIZER = re.compile(r"[oO]ptim|\bopt|_opt\b|SGD|Adam|RMSprop|Adagrad|Adadelta|LBFGS|Rprop|Lion|LAMB|Ranger")
BACKWARD = re.compile(r"(?:^|_)backward$")


def observe(run: Run, function: Value, args: list[Value], keywords: dict[str, Value], node: ast.Call) -> None:
    """Remember when an optimizer gets parameters of the followed object, and when a step of training follows."""
    given = (*args, *keywords.values())
    if _is_optimizer(function) and any(_holds_memory(run, value) for value in (*given, *_filtered(run, node))):
        run.optimized = any_of([run.optimized, run.condition])
    match node.func:
        case ast.Attribute(value=owner, attr=name) if BACKWARD.search(name) or (
            name == "step" and OPTIMIZER.search(dotted(owner)) is not None
        ):
            _train(run, all_of([run.optimized, run.condition]))
        case ast.Attribute(attr="fit") if not isinstance(function, Function) and any(
            each is run.built for value in given for each in inside(value)
        ):
            _train(run, run.condition)


def _filtered(run: Run, node: ast.Call) -> Iterator[Value]:
    """What a call gets through ``filter``, of which it is not known what passes."""
    for argument in (*node.args, *(each.value for each in node.keywords)):
        match argument:
            case ast.Call(func=ast.Name("filter"), args=[_, unfiltered]):
                yield run.evaluate(unfiltered)


def end_loop(run: Run, before: Condition) -> None:
    """Count a step of training in a loop that has ended as taken, whatever it depends on within one iteration."""
    if run.trained is not before:
        _train(run, all_of([run.optimized, run.condition]))


def _train(run: Run, condition: Condition) -> None:
    run.trained = any_of([run.trained, condition])


def _is_optimizer(function: Value) -> bool:
    match function:
        case Api(name):
            return name.startswith(torch_api.OPTIMIZERS) or OPTIMIZER.search(name.rpartition(".")[2]) is not None
        case Class(defined):
            return OPTIMIZER.search(defined.definition.name) is not None
        case _:
            return False


def _holds_memory(run: Run, value: Value) -> bool:
    """Whether a value has memory of the run in it, or the followed object itself."""
    own = set(map(id, run.storages))
    return any(
        each is run.built if isinstance(each, Instance) else _is_of(each, own)
        for each in inside(value)
        if isinstance(each, Instance | Tensor)
    )


def _is_of(tensor: Tensor, own: set[int]) -> bool:
    held = (leaf for _, leaf in leaves(tensor.storage, TRUE) if isinstance(leaf, Memory))
    return any(id(leaf.storage) in own for leaf in held)
