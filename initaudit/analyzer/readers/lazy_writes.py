"""Initialization of lazy layers before their first forward pass gives their parameters a shape."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import Snippet, dotted, root
from initaudit.analyzer.syntax.callers import given_to
from initaudit.analyzer.syntax.context import Context, first_parameter, method, own_attribute, stretches
from initaudit.analyzer.syntax.meaning import Meaning, Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.narrowing import type_asked_for
from initaudit.analyzer.syntax.structure import Layer, constructed, made
from initaudit.subjects.initializers import LazyGiven, LazyLoss

LAZY = "torch.nn.Lazy"
IN_PLACE = torch_api.OVERWRITES | torch_api.PARTIAL_WRITES
PASSIVE = {
    "apply", "modules", "parameters", "named_parameters", "named_modules", "children", "named_children", "train",
    "eval", "to", "cuda", "cpu", "append", "add_module", "insert", "extend", "items", "values", "zero_grad",
    "register_module", "register_parameter", "register_buffer",
}  # fmt: skip
"""Methods of a model that give its lazy parameters no shape."""
READS_ONLY = {"print", "len", "isinstance", "list", "enumerate", "reversed", "type", "hasattr", "super", "str", "repr"}


class Use(NamedTuple):
    """Where a model is initialized: the code that creates it, its name there, and the row."""

    context: Context
    model: str
    row: int


@reads(
    LazyGiven,
    scope=Context,
    words="uniform_( normal_( constant_( ones_( zeros_( eye_( dirac_( sparse_( orthogonal_( fill_( zero_( copy_(",
    nearby="Lazy*(",
)
def lazy_writes(context: Context) -> Iterator[LazyGiven]:
    """Writes of parameters that have no shape yet, in the code that creates the layer or what that applies to it."""
    meanings = Meanings(context)
    for step, call in meanings.unguarded():
        target, by_name = _target(context, call)
        meaning = meanings.meaning(target, step.names) if target is not None else None
        if target is None or meaning is None or meaning.what is not What.PARAMETER or not _plain(step):
            continue
        exact = any(_asks_exactly(test) for test in step.tests)
        for use in _uses(context, meaning, target, step):
            layer = _met(_layers(use), meaning, exact=exact)
            if layer is not None and _is_fresh(use):
                loss = LazyLoss.LOST if meaning.detached and not by_name else LazyLoss.RAISES
                yield LazyGiven(
                    place=context.snippet.place(call),
                    source=context.snippet.source(call),
                    layer=f"nn.{layer.kind.removeprefix('torch.nn.')}",
                    loss=LazyLoss.SKIPPED if exact else loss,
                )
                break


def _target(context: Context, call: ast.Call) -> tuple[ast.expr | None, bool]:
    """Return what a call writes, and whether a function of ``nn.init`` does."""
    name = context.canonical(call.func) or ""
    if name.startswith(torch_api.INIT) and call.args:
        return call.args[0], True
    if isinstance(call.func, ast.Attribute) and call.func.attr in IN_PLACE:
        return call.func.value, False
    return None, False


def _plain(step: Step) -> bool:
    """Whether only the types of modules, and whether they have a parameter, decide whether a statement runs."""
    return all(map(_asks_for_layer, step.tests)) and all(map(_asks_for_layer, step.excluded))


def _asks_for_layer(test: ast.expr) -> bool:
    match test:
        case ast.BoolOp(values=values):
            return all(map(_asks_for_layer, values))
        case ast.Call(func=ast.Name(id="hasattr")):
            return True
        case ast.Compare(left=ast.Attribute(attr="weight" | "bias"), comparators=[ast.Constant(value=None)]):
            return True
    return bool(type_asked_for(test)[0])


def _asks_exactly(test: ast.expr) -> bool:
    """Whether a condition asks ``type(m) == A``, which an object of a derived class does not meet."""
    parts = test.values if isinstance(test, ast.BoolOp) else [test]
    return any(isinstance(part, ast.Compare) and type_asked_for(part)[0] for part in parts)


# Which model


def _uses(context: Context, meaning: Meaning, target: ast.expr, step: Step) -> Iterator[Use]:
    """Yield where code creates the model that a written parameter belongs to, and initializes it."""
    name = root(target)
    bound = step.names.get(name.id) if name is not None else None
    walked = bound if bound is not None and bound.element else None
    source = walked.source if walked is not None else meaning.source
    owner = source.rpartition(".")[0]
    row = context.snippet.place(step.statement).row
    if context.definition is not None and owner == first_parameter(context):
        for caller, node, _, _ in given_to(context, by_apply=walked is None and not meaning.element):
            yield from _created(caller, dotted(node), caller.snippet.place(node).row)
    elif owner:
        yield from _created(context, owner, row)


def _created(context: Context, model: str, row: int) -> Iterator[Use]:
    """Yield where the code that uses a model creates it: a constructor, for an attribute of the object."""
    if model.partition(".")[0] != "self":
        yield Use(context, model, row)
        return
    init = method(context, "__init__")
    if init is None or context.definition is None:
        return
    if context.definition.name == "__init__":
        yield Use(context, model, row)
        return
    for call in init.calls():
        if own_attribute(call.func) == context.definition.name:
            yield Use(init, model, init.snippet.place(call).row)
            return


def _layers(use: Use) -> Sequence[Layer]:
    """Return the layers that a model has."""
    context, (first, _, attribute) = use.context, use.model.partition(".")
    if first == "self" and context.cls is not None:
        held = constructed(context.project, context.cls)
        return [layer for each in held.values() if attribute in ("", each.name) for layer in each.layers]
    values = [node.value for row, node in _assignments(use) if row < use.row]
    return made(context, values[-1]).layers if values and not attribute else ()


def _met(layers: Iterable[Layer], meaning: Meaning, *, exact: bool) -> Layer | None:
    """Return the lazy layer whose parameter is written; with ``exact``, one that is taken for an ordinary layer."""
    found = list(layers)
    kinds = {kind for kind in meaning.kinds if not kind.startswith("torch.nn.Sequential")}
    if exact and any(layer.kind in kinds or layer.cls is not None for layer in found):
        return None
    for layer in found:
        ordinary = layer.kind.replace("Lazy", "")
        asked = not kinds or (not exact and layer.kind in kinds) or (ordinary in kinds and "Norm" not in ordinary)
        if layer.kind.startswith(LAZY) and asked and _has(layer, meaning.attribute):
            return layer
    return None


def _has(layer: Layer, parameter: str | None) -> bool:
    """Whether a lazy layer has a parameter: its ``bias`` may be switched off."""
    if "Norm" in layer.kind and layer.call is not None and (len(layer.call.args) > 2 or layer.call.keywords):
        return False
    if parameter != "bias":
        return True
    return layer.call is not None and all(each.arg not in (None, "bias") for each in layer.call.keywords)


# Whether it has run


def _assignments(use: Use) -> Iterator[tuple[int, ast.Assign]]:
    """Yield the assignments of a name in the code that creates a model, with their rows."""
    for snippet in _snippets(use.context):
        for node in snippet.nodes:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)]) if name == use.model:
                    yield snippet.place(node).row, node
                case _:
                    pass


def _snippets(context: Context) -> Iterator[Snippet]:
    if context.definition is not None:
        yield context.snippet
        return
    yield from (each.snippet for each in stretches(context))


def _is_fresh(use: Use) -> bool:
    """Whether nothing between the creation of a model and its initialization may have run it."""
    of_self = use.model.partition(".")[0] == "self"
    begin = 0 if of_self else max((row for row, _ in _assignments(use) if row < use.row), default=0)
    calls = (
        (snippet.place(node).row, node)
        for snippet in _snippets(use.context)
        for node in snippet.nodes
        if isinstance(node, ast.Call)
    )
    return (of_self or begin > 0) and not any(
        begin < row < use.row and _may_run(use.context, node, use.model.partition(".")[0]) for row, node in calls
    )


def _may_run(context: Context, call: ast.Call, name: str) -> bool:
    """Whether a call may run a model, or hands it to code that may."""
    function = call.func
    first = root(function)
    if first is not None and first.id == name:
        attribute = own_attribute(function)
        called = method(context, attribute) if name == "self" and attribute is not None else None
        if called is not None:
            return any(_may_run(called, each, name) for each in called.calls() if own_attribute(each.func) is None)
        return not isinstance(function, ast.Attribute) or not (function.attr in PASSIVE or function.attr.endswith("_"))
    given = [*call.args, *(each.value for each in call.keywords)]
    handed = any(isinstance(arg, ast.Name | ast.Attribute) and dotted(arg).partition(".")[0] == name for arg in given)
    handed = handed and any(_is_whole(arg, name) for arg in given)
    return (
        handed
        and dotted(function) not in READS_ONLY
        and not (context.canonical(function) or "").startswith("torch.nn.")
    )


def _is_whole(arg: ast.expr, name: str) -> bool:
    """Whether an argument is the object, or a layer of it that may be run."""
    return dotted(arg) == name or (name == "self" and own_attribute(arg) is not None)
