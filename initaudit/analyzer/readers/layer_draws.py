"""Draws of the weights of linear layers, by statements that name the layer or go over all of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.snippets import dotted
from initaudit.analyzer.syntax.callers import is_given_frozen
from initaudit.analyzer.syntax.context import Context, own_attribute
from initaudit.analyzer.syntax.meaning import Meaning, Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.walks import written
from initaudit.finding import Observer
from initaudit.schemes import Distribution
from initaudit.schemes.calls import distribution_of
from initaudit.subjects.weights import Extent, WeightUse

LINEAR = {"torch.nn.Linear"}
DRAWS = {"normal_", "uniform_", "normal", "uniform"}


@reads(WeightUse, scope=Context, words="normal_( uniform_( normal( uniform(", nearby="Linear")
def layer_draws(context: Context) -> Iterator[WeightUse]:
    """Plain normal and uniform draws of a whole weight, where no later statement of the scope writes it again."""
    meanings = Meanings(context)
    for step in meanings.steps():
        match step.statement:
            case ast.Expr(value=ast.Call() as call):
                target = written(context, call)
            case _:
                continue
        last = call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func)
        meaning = meanings.meaning(target, step.names) if target is not None else None
        if last not in DRAWS or target is None or meaning is None or not _is_linear(meaning):
            continue
        of_init = (context.canonical(call.func) or "").startswith(torch_api.INIT)
        if not of_init and not isinstance(call.func, ast.Attribute):
            continue  # a function of the file, with a deviation of its own
        numbers = _numbers(call, of_init=of_init)
        by = f"{'init' if of_init else 'Tensor'}.{last.rstrip('_')}_"
        if numbers is not None:
            distribution = distribution_of(by, (), *numbers)
        elif last.startswith("normal") and _gives_mean_alone(call, of_init=of_init):
            distribution = Distribution(family="normal", std=1.0)
        else:
            continue
        if _again(context, meanings, meaning, step) or _samples(context) or is_given_frozen(context):
            continue
        inputs = _inputs(context, target)
        yield WeightUse(
            observer=Observer.ANALYZER,
            place=context.snippet.place(call),
            model=context.cls.qualname if context.cls is not None else context.module.name,
            parameter=context.snippet.source(target).removeprefix("self."),
            use="nn.Linear",
            shape=("out_features", inputs),
            by=by,
            distribution=distribution,
            fan_in=inputs,
            fan_out="out_features",
            normalized=_normalizes(context),
        )


def _is_linear(meaning: Meaning) -> bool:
    whole = not meaning.part and not meaning.reshaped and meaning.what is What.PARAMETER
    return whole and meaning.attribute == "weight" and bool(meaning.kinds) and set(meaning.kinds) <= LINEAR


def _numbers(call: ast.Call, *, of_init: bool) -> tuple[list[object], dict[str, object]] | None:
    """The arguments behind the tensor; None when one of them is no number of the source."""
    given = call.args[1:] if of_init else call.args
    try:
        positional = [ast.literal_eval(value) for value in given]
        named = {each.arg or "**": ast.literal_eval(each.value) for each in call.keywords}
    except ValueError:
        return None
    return None if "**" in named else (positional, named)


def _gives_mean_alone(call: ast.Call, *, of_init: bool) -> bool:
    """Whether a normal draw is told a mean that the source does not spell as a number, and no deviation."""
    given = call.args[1:] if of_init else call.args
    return len(given) == 1 and not isinstance(given[0], ast.Starred) and not call.keywords


def _again(context: Context, meanings: Meanings, meaning: Meaning, step: Step) -> bool:
    """Whether a later statement speaks of the same weight."""
    for later in step.after:
        for node in ast.walk(later):
            if isinstance(node, ast.Attribute) and node.attr == "weight":
                found = meanings.meaning(node, step.names)
                if found is not None and found.source == meaning.source:
                    return True
    return False


def _samples(context: Context) -> bool:
    """Whether the class samples a choice of its outputs: the logits of a quantizer are wide on purpose."""
    cls = context.cls
    return cls is not None and "gumbel_softmax" in context.module.usage(cls.definition).names


def _normalizes(context: Context) -> bool:
    """Whether the file calls a normalization."""
    module = context.module
    if "Norm" not in module.text:  # what no text holds no tree does
        return False
    return any("Norm" in name for part in module.parts() for name in module.usage_of(*part).last_called)


def _inputs(context: Context, target: ast.expr) -> Extent:
    """How many inputs the layer has, where the source makes it with a number."""
    owner = target.value if isinstance(target, ast.Attribute) else target
    own = own_attribute(owner)
    members = context.cls.definition.members.values() if context.cls is not None else ()
    made: list[ast.stmt] = [found[1] for each in members if (found := context.module.function(each)) is not None]
    for root in made if own else context.snippet.body:
        for node in ast.walk(root):
            match node:
                case ast.Assign(targets=[name], value=ast.Call(func=function, args=[first, *_])) if (
                    dotted(name) == dotted(owner) and dotted(function).rpartition(".")[2] == "Linear"
                ):
                    if isinstance(first, ast.Constant) and isinstance(first.value, int):
                        return first.value
                    return ast.unparse(first)
    return "in_features"
