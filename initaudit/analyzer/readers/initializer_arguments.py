"""What is given to the functions of ``nn.init`` and cannot be initialized by them: modules, and vectors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.usage import usage
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.readers.applications import is_alone
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.calls import uses_of
from initaudit.analyzer.source.snippets import dotted, last_name
from initaudit.analyzer.syntax.callers import given_to
from initaudit.analyzer.syntax.context import Context, first_parameter, method
from initaudit.analyzer.syntax.expressions import RECURRENT
from initaudit.analyzer.syntax.meaning import Meaning, Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.name_conditions import reaches
from initaudit.analyzer.syntax.narrowing import DIMENSIONS
from initaudit.analyzer.syntax.numbers import is_whole_number
from initaudit.analyzer.syntax.reached import layers_of, named_layers, walked_model
from initaudit.analyzer.syntax.structure import Found, constructed, without
from initaudit.analyzer.syntax.walks import typed
from initaudit.subjects.initializers import ModuleGiven, VectorGiven

FUNCTIONS = "uniform_( normal_( constant_( ones_( zeros_( eye_( dirac_( sparse_( orthogonal_("
RENAMED = "uniform( normal( constant( eye( dirac( sparse( orthogonal("
OF_MATRICES = {
    "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_", "sparse_", "dirac_",
    "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal", "sparse", "dirac",
}  # fmt: skip
"""Functions that raise for a tensor of one dimension."""
LAYERS = {f"torch.nn.{name}" for name in torch_api.LINEAR_LIKE}
NORMS = {f"torch.nn.{name}" for name in torch_api.NORMALIZATIONS - {"LayerNorm", "RMSNorm", "LocalResponseNorm"}}
"""Normalizations whose gain has one dimension whatever they are given."""
NORMS_TOO = NORMS | {"torch.nn.LayerNorm", "torch.nn.RMSNorm"}
ALL = NORMS_TOO | LAYERS | RECURRENT
WITH_BIASES = {f"torch.nn.{name}Cell" for name in ("LSTM", "GRU", "RNN")} | RECURRENT | LAYERS | NORMS
ALLOCATIONS = {f"torch.{name}" for name in ("empty", "zeros", "ones", "rand", "randn", "Tensor", "FloatTensor")}
VECTORS = {**{(kind, "bias"): "a bias" for kind in LAYERS | NORMS}, **{(kind, "weight"): "a gain" for kind in NORMS}}


@reads(ModuleGiven, scope=Context, words=f"{FUNCTIONS} {RENAMED}", nearby="init")
@reads(VectorGiven, scope=Context, words="normal_( uniform_( xavier_*( kaiming_*( orthogonal dirac", nearby="init")
def initializer_arguments(context: Context) -> Iterator[ModuleGiven | VectorGiven]:
    """Modules and vectors that are given to functions of ``nn.init`` which raise for them."""
    meanings = Meanings(context)
    for step, call in meanings.unguarded():
        name = context.canonical(call.func) or ""
        if not name.startswith(torch_api.INIT) or not call.args:
            continue
        initializer, target = name.removeprefix(torch_api.INIT), call.args[0]
        meaning = meanings.meaning(target, step.names)
        if meaning is None:
            continue
        writes = initializer != "calculate_gain" and not initializer.startswith("_")
        if meaning.what in (What.MODULE, What.PAIR) and writes:
            yield ModuleGiven(
                place=context.snippet.place(call),
                initializer=initializer,
                target=context.snippet.source(target),
                pair=meaning.what is What.PAIR,
                uncalled=_uncalled(context),
            )
        elif initializer in OF_MATRICES and (why := _vector(context, meaning, step)) is not None:
            yield VectorGiven(
                place=context.snippet.place(call),
                initializer=initializer,
                target=context.snippet.source(target),
                why=why,
                absent=_is_absent(context, meaning, step),
            )


def _uncalled(context: Context) -> str:
    """The name of the function of a script, if nothing uses it."""
    definition, module = context.definition, context.module
    if definition is None or definition.owner is not None or context.cls is not None:
        return ""
    uses = uses_of(module, definition.name)
    used = uses is None or bool(uses.kinds - {"object", "each"})  # an attribute of this name is another function
    return definition.name if not used and is_alone(context.project, module) else ""


def _vector(context: Context, meaning: Meaning, step: Step) -> str | None:
    """Why what a call is given has one dimension, where that is known."""
    if meaning.part or meaning.reshaped or meaning.what is not What.PARAMETER or _asks_for_dimensions(step):
        return None
    if not all(map(_asks_for_presence, meaning.chosen)):
        return None
    if meaning.attribute is not None and meaning.kinds and not meaning.attribute.startswith(("weight_", "bias_")):
        found = {VECTORS.get((kind, meaning.attribute)) for kind in meaning.kinds}
        one = found.pop() if len(found) == 1 else None
        return f"{one} has one dimension" if one is not None else None
    plain = all(map(_asks_for_presence, step.tests)) and not step.excluded
    if meaning.element:
        walked = walked_model(meaning.source)
        why = _with_vectors(layers_of(context, walked), ALL, context, None if plain else step) if walked else None
        if why is None and not meaning.kinds and walked is not None:
            why = _of_callers(context, dotted(walked), None if plain else step)
        return why or _of_layer_with_vectors(meaning, step, context)
    if meaning.attribute == "weight" and not meaning.kinds and plain:
        return _gains(context, meaning.source.rpartition(".")[0], step)
    if meaning.attribute == "bias" and not meaning.kinds and context.function is not None and not step.excluded:
        return _bias_of_callers(context, meaning.source.rpartition(".")[0])
    return _flat(context, meaning)


def _asks_for_dimensions(step: Step) -> bool:
    """Whether a condition of a statement, or of what a loop around it goes over, asks how many dimensions there are."""
    chosen = [loop.iter for loop in step.rounds if not isinstance(loop, ast.While)]
    return not DIMENSIONS.isdisjoint(usage([test for test, _ in step.conditions] + chosen).names)


def _bias_of_callers(context: Context, name: str) -> str | None:
    """Why the bias of what a function is given has one dimension: a caller gives it a layer of torch that has one."""
    if context.definition is None or name != first_parameter(context):
        return None
    for caller, node, meaning, _ in given_to(context, by_apply=False):
        if (
            meaning is None
            or meaning.what is not What.MODULE
            or len(meaning.kinds) != 1
            or meaning.kinds[0] not in LAYERS
        ):
            continue
        if not _made_without(caller, meaning.kinds[0], "bias"):
            return f"the bias of `{caller.snippet.source(node)}` has one dimension"
    return None


def _asks_for_presence(test: ast.expr) -> bool:
    """``hasattr(m, "weight")``, ``m.weight is not None``, ``p.requires_grad``: what holds for a vector too."""
    match test:
        case ast.BoolOp(op=ast.And(), values=values):
            return all(map(_asks_for_presence, values))
        case ast.Call(func=ast.Name(id="hasattr"), args=[_, ast.Constant(value="weight")]):
            return True
        case ast.Compare(left=ast.Attribute(attr="weight"), ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return True
    return isinstance(test, ast.Attribute) and test.attr == "requires_grad"


def _is_absent(context: Context, meaning: Meaning, step: Step) -> bool:
    """Whether a call runs only where a layer has a parameter, and no model that it meets surely has such a layer."""
    name = meaning.attribute
    if name is None or not any(_asks_for(test, name) for test in step.tests):
        return False
    models = [context.cls]
    if context.cls is None:
        given = list(given_to(context, by_apply=True))
        models = [each.context.cls if dotted(each.node) == "self" else None for each in given]
    return bool(models) and all(
        model is not None and not _has(context.project, model, meaning.kinds, name) for model in models
    )


def _asks_for(test: ast.expr, name: str) -> bool:
    """``m.bias is not None``, ``m.bias``, ``hasattr(m, "bias")``, or one of these and more."""
    match test:
        case ast.BoolOp(op=ast.And(), values=values):
            return any(_asks_for(value, name) for value in values)
        case ast.Compare(left=ast.Attribute(attr=asked), ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return asked == name
        case ast.Call(func=ast.Name(id="hasattr"), args=[_, ast.Constant(value=asked)]):
            return bool(asked == name)
    return isinstance(test, ast.Attribute) and test.attr == name


def _has(project: Project, model: Defined, kinds: tuple[str, ...], name: str) -> bool:
    """Whether a class, or one that it holds, surely has a layer of some kinds with a parameter."""
    pending, seen = [model], {model}
    while pending:
        for attribute in constructed(project, pending.pop()).values():
            for layer in attribute.layers:
                if layer.kind in kinds and layer.call is not None and without(layer.kind, layer.call, name) is False:
                    return True
                if layer.cls is not None and layer.cls not in seen:
                    seen.add(layer.cls)
                    pending.append(layer.cls)
    return False


def _gains(context: Context, name: str, step: Step) -> str | None:
    """Why some of the modules that a function is applied to, or a loop goes over, have gains of one dimension."""
    meaning = step.names.get(name)
    model = walked_model(meaning.source) if meaning is not None and meaning.element else None
    if model is not None:
        return _with_vectors(layers_of(context, model), NORMS_TOO, context)
    if context.function is None or context.definition is None or name != first_parameter(context):
        return None
    found = (_with_vectors(layers_of(*each[:2]), NORMS_TOO, each.context) for each in given_to(context, by_apply=True))
    return next(filter(None, found), None)


def _of_callers(context: Context, name: str, step: Step | None) -> str | None:
    """Why a model that callers give to a function has a vector that the function meets."""
    if context.definition is None or name != first_parameter(context):
        return None
    given = given_to(context, by_apply=False)
    return next(filter(None, (_with_vectors(layers_of(*each[:2]), ALL, each.context, step) for each in given)), None)


def _of_layer_with_vectors(meaning: Meaning, step: Step, context: Context) -> str | None:
    """Why a walk over the parameters of layers of torch meets vectors: all of them, or those of some names."""
    step = replace(step, conditions=tuple(each for each in step.conditions if not _asks_for_type(each[0])))
    if not step.conditions:
        return _with_bias(context, meaning)
    recurrent = len(meaning.kinds) == 1 and meaning.kinds[0] in RECURRENT
    if not recurrent or _made_without(context, meaning.kinds[0], "bias"):
        return None
    for bias in ("bias_ih_l0", "bias_hh_l0"):
        if reaches(step, bias):
            return f"`{bias}`, of a {_last(meaning.kinds[0])}, has one dimension"
    return None


def _asks_for_type(test: ast.expr) -> bool:
    """``isinstance(m, nn.Linear)``, ``type(m) == nn.Linear``, or several of these."""
    match test:
        case ast.BoolOp(values=values):
            return all(map(_asks_for_type, values))
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return _asks_for_type(inner)
        case ast.Compare(left=asked):
            return typed(asked) is not None
    return isinstance(test, ast.Call) and dotted(test.func) == "isinstance"


def _last(kind: str) -> str:
    return kind.removeprefix("torch.nn.")


def _with_bias(context: Context, meaning: Meaning) -> str | None:
    """Why all parameters of layers of torch, or of a sequence of them, are not matrices: some are biases."""
    kinds = meaning.kinds if meaning.kinds != ("torch.nn.Sequential",) else meaning.items
    found = next((kind for kind in kinds if kind in WITH_BIASES), None)
    every = len(meaning.kinds) == 1 and found is not None
    if not every or found is None or _made_without(context, found, "bias"):
        return None
    return f"a {_last(found)} has biases, which have one dimension"


def _made_without(context: Context, kind: str, parameter: str) -> bool:
    """Whether some call of a file makes, or may make, a layer of a kind without a parameter."""
    module, last = context.module, _last(kind)
    for start, end in module.parts_naming(last):
        snippet = module.quiet_snippet(start, end)
        for node in snippet.nodes if snippet is not None else ():
            if (
                isinstance(node, ast.Call)
                and last_name(node.func) == last
                and without(last, node, parameter) is not False
            ):
                return True
    return False


def _flat(context: Context, meaning: Meaning) -> str | None:
    """Why a parameter of the class has one dimension: its constructor allocates it with one number."""
    init = method(context, "__init__") if meaning.attribute is not None and not meaning.kinds else None
    if init is None or init.function is None or meaning.source != f"self.{meaning.attribute}":
        return None
    match init.assigned(meaning.source):
        case [ast.Call(func=wrapper, args=[ast.Call(func=made, args=[size], keywords=_) as call, *_])]:
            one = init.canonical(wrapper) == "torch.nn.Parameter" and init.canonical(made) in ALLOCATIONS
            if one and is_whole_number(init, size):
                return f"`{init.snippet.source(call)}` has one dimension"
    return None


def _with_vectors(model: Found, kinds: set[str], context: Context, step: Step | None = None) -> str | None:
    """A parameter of one dimension that a model certainly has, in a layer of some kinds.

    With a ``step`` of a loop over the named parameters, only one that this comes to.
    """
    for name, layer in named_layers(context.project, model.layers):
        if layer.cls is not None or layer.call is None or layer.kind not in kinds:
            continue
        norm = layer.kind in NORMS_TOO
        vector = "weight" if norm else "bias_ih_l0" if layer.kind in RECURRENT else "bias"
        absent = without(layer.kind, layer.call, "weight" if norm else "bias")
        met = step is None or (layer.derived is None and reaches(step, f"{name}.{vector}".lstrip(".")))
        if absent is False and met:
            what = "parameters" if norm else "biases" if layer.kind in RECURRENT else "a bias"
            one = "have" if what != "a bias" else "has"
            which = f"`{name}`, a {_last(layer.kind)}," if name else f"a {_last(layer.kind)}"
            return f"{which} has {what}, which {one} one dimension"
    return None
