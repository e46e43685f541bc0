"""Draws of the weights of layers, by statements that name the layer or go over all of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.readers.applications import is_alone, only_shows
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.builds import largest_size
from initaudit.analyzer.source.snippets import argument, dotted, last_name, nodes, parameters, root
from initaudit.analyzer.syntax.callers import is_given_frozen
from initaudit.analyzer.syntax.context import Context, initializes, own_attributes
from initaudit.analyzer.syntax.meaning import PARAMETERS_OF_SELF, Meaning, Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.name_conditions import reaches
from initaudit.analyzer.syntax.norms import may_be_normalized
from initaudit.analyzer.syntax.reached import number, written_layers
from initaudit.analyzer.syntax.scaled import is_scaled
from initaudit.analyzer.syntax.structure import UNKNOWN, Layer, constructed
from initaudit.analyzer.syntax.walks import written
from initaudit.finding import Observer
from initaudit.schemes import Distribution
from initaudit.schemes.calls import distribution_of
from initaudit.subjects.weights import Extent, WeightUse

LINEAR = {"torch.nn.Linear"}
AROUND_ZERO = LINEAR | {"torch.nn.Embedding"} | {f"torch.nn.Conv{each}d" for each in (1, 2, 3)}
"""Layers whose weights are drawn around zero: a single argument of such a draw is meant as the deviation."""
NORMAL = {"normal_", "normal", "trunc_normal_"}
DRAWS = NORMAL | {"uniform_", "uniform"}
WHOLE_DRAWS = {"torch.randn", "torch.randn_like", "torch.rand", "torch.rand_like"}


IN, OUT = (0, "in_features"), (1, "out_features")
"""Where a linear layer is given its sizes."""


class Inputs(NamedTuple):
    """The sizes of a linear layer, and the call that makes it: that with the most inputs, where there are ``several``.

    ``most`` is the largest number that ``inputs`` is known to be.
    """

    inputs: Extent
    outputs: Extent
    layer: str
    several: bool = False
    most: int | None = None


@reads(WeightUse, scope=Context, words="normal_( uniform_( normal( uniform(", nearby="Linear Conv Embedding sqrt")
@reads(WeightUse, scope=Context, words=("randn( rand( randn_like( rand_like(", ".data="), nearby="Linear")
def layer_draws(context: Context) -> Iterator[WeightUse]:
    """Plain normal and uniform draws of a whole weight, where no later statement of the scope writes it again.

    They are those of linear layers, and draws that are given only a mean, which is meant as a deviation.
    """
    meanings = Meanings(context)
    for step in meanings.steps():
        match step.statement:
            case ast.Expr(value=ast.Call() as call):
                target: ast.expr | None = written(context, call)
            case ast.Assign(targets=[ast.Attribute(attr="data", value=target)], value=ast.Call() as call):
                if context.canonical(call.func) not in WHOLE_DRAWS:
                    continue
            case _:
                continue
        last = last_name(call.func)
        meaning = meanings.meaning(target, step.names) if target is not None else None
        if target is None or (last not in DRAWS and not isinstance(step.statement, ast.Assign)):
            continue
        walked = _reaches_linear(context, meaning, step)
        of_init = (context.canonical(call.func) or "").startswith(torch_api.INIT)
        given = any(node is target for argument in call.args for node in nodes(argument))
        if not of_init and (given or not isinstance(call.func, ast.Attribute)):
            continue  # a function of the project, with a deviation of its own
        numbers = _numbers(call, of_init=of_init)
        by = f"{'init' if of_init else 'Tensor'}.{last.rstrip('_')}_"
        if isinstance(step.statement, ast.Assign):
            numbers, by = ([], {}), context.canonical(call.func) or ""
        mean = mean_alone(call, of_init=of_init) if last in NORMAL else None
        if mean is not None and not _is_weight(meaning, AROUND_ZERO) and not _is_root(context, mean):
            continue
        if mean is None and not walked and not _is_weight(meaning, LINEAR):
            continue
        if numbers is not None:
            distribution = distribution_of(by, (), *numbers)
        elif mean is not None:
            distribution = Distribution(family="normal", std=1.0)
        else:
            continue
        again = meaning is not None and _again(context, meanings, meaning, step)
        again = again or (walked and any(map(initializes, step.after)))
        if again or _samples(context) or is_given_frozen(context):
            continue
        if mean is None and (_is_scaled(context, target, walked=walked) or _is_wrapped(context, target, step)):
            continue
        inputs = _inputs(context, meaning, step)
        yield WeightUse(
            observer=Observer.ANALYZER,
            place=context.snippet.place(call),
            model=context.cls.qualname if context.cls is not None else context.module.name,
            parameter=context.snippet.source(target).removeprefix("self."),
            use=inputs.layer,
            shape=(inputs.outputs, inputs.inputs),
            by=by,
            distribution=distribution,
            mean_alone=context.snippet.source(mean) if mean is not None else "",
            fan_in=inputs.inputs,
            fan_out=inputs.outputs,
            most=inputs.most,
            several=inputs.several,
            target=context.snippet.source(target),
            normalized=may_be_normalized(context, target),
            shown=only_shows(context.project, context.module),
        )


def _is_weight(meaning: Meaning | None, of: set[str]) -> bool:
    """Whether something is the whole weight of a layer of some of these classes."""
    if meaning is None or meaning.part or meaning.reshaped or meaning.what is not What.PARAMETER:
        return False
    return meaning.attribute == "weight" and bool(meaning.kinds) and set(meaning.kinds) <= of


def _reaches_linear(context: Context, meaning: Meaning | None, step: Step) -> bool:
    """Whether a walk over the parameters of the object comes to the weight of a linear layer of its own."""
    if meaning is None or not meaning.element or meaning.part or meaning.reshaped or context.cls is None:
        return False
    if meaning.source not in PARAMETERS_OF_SELF:
        return False
    return any(
        layer.kind in LINEAR
        and layer.depth == 0
        and layer.derived is None
        and reaches(step, f"{attribute.name}.weight")
        for attribute in constructed(context.project, context.cls).values()
        for layer in attribute.layers
    )


def _numbers(call: ast.Call, *, of_init: bool) -> tuple[list[object], dict[str, object]] | None:
    """The arguments behind the tensor; None when one of them is no number of the source."""
    given = call.args[1:] if of_init else call.args
    try:
        positional = [ast.literal_eval(value) for value in given]
        named = {each.arg or "**": ast.literal_eval(each.value) for each in call.keywords}
    except ValueError:
        return None
    return None if "**" in named else (positional, named)


def mean_alone(call: ast.Call, *, of_init: bool) -> ast.expr | None:
    """The mean that a normal draw is given without a name and without a deviation, where it is not zero."""
    given = call.args[1:] if of_init else call.args
    if len(given) != 1 or isinstance(given[0], ast.Starred) or call.keywords:
        return None
    return None if isinstance(given[0], ast.Constant) and not given[0].value else given[0]


def _is_root(context: Context, node: ast.expr) -> bool:
    """Whether a number is computed as a deviation is, by a square root, here or where its name is assigned."""
    pending, names = [node], set[str]()
    while pending:
        for inner in nodes(pending.pop()):
            match inner:
                case ast.Call(func=function) if last_name(function) in {"sqrt", "rsqrt"}:
                    return True
                case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=0.5)):
                    return True
                case ast.BinOp(op=ast.Pow(), right=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=0.5))):
                    return True
                case ast.Name(id=name) if name not in names:
                    names.add(name)
                    pending += [value for value in context.assigned(name) if value is not node]
    return False


def _again(context: Context, meanings: Meanings, meaning: Meaning, step: Step) -> bool:
    """Whether a later statement speaks of the same weight."""
    for later in step.after:
        for node in ast.walk(later):
            if isinstance(node, ast.Attribute) and node.attr == "weight":
                found = meanings.meaning(node, step.names)
                if found is not None and found.source == meaning.source:
                    return True
    return False


def _is_scaled(context: Context, target: ast.expr, *, walked: bool) -> bool:
    """Whether the forward scales what the layers are given, or what they give, as for an equalized learning rate."""
    names = own_attributes(target)
    if walked and context.cls is not None:
        found = constructed(context.project, context.cls)
        names = {name for name, attribute in found.items() if any(each.kind in LINEAR for each in attribute.layers)}
    return bool(names) and all(is_scaled(context, name) for name in names)


def _is_wrapped(context: Context, target: ast.expr, step: Step) -> bool:
    """Whether a class keeps what a function of the project makes of its layer, which may scale the weight."""
    layer = root(target)
    if context.cls is None or layer is None or layer.id == "self":
        return False
    for later in step.after:
        for node in ast.walk(later):
            match node:
                case ast.Call(func=function, args=[ast.Name(id=name), *_]) if name == layer.id:
                    found = context.project.resolve(context.module, dotted(function))
                    if isinstance(found, Defined) and not found.definition.is_class:
                        return True
    return False


def _samples(context: Context) -> bool:
    """Whether the class samples a choice of its outputs: the logits of a quantizer are wide on purpose."""
    cls = context.cls
    return cls is not None and "gumbel_softmax" in context.module.usage(cls.definition).names


def _inputs(context: Context, meaning: Meaning | None, step: Step) -> Inputs:
    """The inputs of the linear layers that a statement draws, as the calls that make them say."""
    known_here = meaning is not None and not _is_of_argument(context, meaning)
    found = written_layers(context, meaning, step) if meaning is not None and known_here else UNKNOWN
    layers = [layer for layer in found.layers if layer.kind in LINEAR]
    numbers = [(largest_size(layer, argument(layer.call, *IN)), layer) for layer in layers]
    known = [(number, layer) for number, layer in numbers if number is not None]
    if found.complete and layers and len(known) == len(layers):
        most, layer = max(known, key=lambda each: (each[0], largest_size(each[1], argument(each[1].call, *OUT)) != 1))
        return sizes_of(layer, several=len({number for number, _ in known}) > 1, most=most)
    unknown = [layer for number, layer in numbers if number is None]
    return sizes_of(unknown[0]) if found.complete and unknown else Inputs("in_features", "out_features", "nn.Linear")


def _is_of_argument(context: Context, meaning: Meaning) -> bool:
    """Whether a function of a file that others import writes what it is given: their models are not looked for."""
    function, variable = context.function, root(ast.parse(meaning.source, mode="eval").body, calls=True)
    if function is None or context.cls is not None or variable is None:
        return False
    return variable.id in [each.arg for each in parameters(function)] and not is_alone(context.project, context.module)


def sizes_of(layer: Layer, *, several: bool = False, most: int | None = None) -> Inputs:
    """The sizes of a layer, as numbers where it is made with numbers."""
    sizes = [argument(layer.call, *size) for size in (IN, OUT)]
    numbers = [number(layer.context, size) if layer.context and size is not None else None for size in sizes]
    texts = [ast.unparse(size) if size is not None else name for size, (_, name) in zip(sizes, (IN, OUT), strict=True)]
    inputs, outputs = (text if known is None else known for known, text in zip(numbers, texts, strict=True))
    return Inputs(inputs, outputs, ast.unparse(layer.call) if layer.call is not None else layer.made, several, most)
