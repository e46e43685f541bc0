"""Layers whose units cannot become different: their incoming and outgoing weights start equal.

Exchanging two such units changes no parameter, so that no gradient tells them apart. That is certain where nothing but
functions of single elements stands between one layer and the only other one that reads it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from initaudit.activations import Family, lookup
from initaudit.analyzer import torch_api
from initaudit.analyzer.file.collected import is_test
from initaudit.analyzer.file.matches import groups
from initaudit.analyzer.programs.constructor import (
    Construction,
    Registered,
    construct,
    declaring_class,
    unreadable_base,
)
from initaudit.analyzer.programs.graph import is_template
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.chains import names_in_sequences, run_of_top_level
from initaudit.analyzer.source.snippets import dotted
from initaudit.analyzer.starts import Start, is_final, start_of
from initaudit.analyzer.symbolic.conditions import TRUE
from initaudit.analyzer.symbolic.torch import modules
from initaudit.analyzer.symbolic.values import NONE, Constant, Instance, Memory, Storage, Tensor, Value
from initaudit.analyzer.syntax.context import Context, File, methods, own_attribute
from initaudit.analyzer.syntax.flow import NO_FORWARD, Flow, called
from initaudit.finding import Observer
from initaudit.subjects.weights import EqualUnits
from initaudit.timeline import Kind

WRITES_A_CONSTANT = "constant_( ones_( fill_( zeros_( zero_( zeros( ones( full( _like( ]="
MAKES_A_LAYER = "Linear( Conv1d( Conv2d( Conv3d("
LAYERS = {f"torch.nn.{name}" for name in ("Linear", "Conv1d", "Conv2d", "Conv3d")}
OF_ELEMENTS = re.compile(r"torch\.nn\.(?:ReLU6?|LeakyReLU|ELU|SELU|CELU|GELU|SiLU|Mish|Softplus|Tanh|Sigmoid|Identity)")
"""Modules that do the same to each element; RReLU and dropout draw, and a softmax mixes."""

Filled = tuple[Registered, Start]
"""A parameter, and what gives all of its elements the same number."""
FREEZES = {"requires_grad", "requires_grad_"}


@reads(EqualUnits, scope=File, words=(WRITES_A_CONSTANT, MAKES_A_LAYER))
def equal_units(file: File) -> Iterator[EqualUnits]:
    """The layers of a file's classes that start from a constant, and feed nothing but one that does too."""
    project, module = file.project, file.module
    if is_template(project, module) or is_test(module):
        return
    writing, making = groups(WRITES_A_CONSTANT), groups(MAKES_A_LAYER)
    functions = [each for each in module.outline.members.values() if not each.is_class]
    helpers = tuple(each.name for each in functions if module.matches(each.start, each.end).holds_all(writing))
    for definition in module.outline.classes():
        cls, words = Defined(module, definition), module.matches(definition.start, definition.end)
        writes = words.holds_all(writing) or any(map(words.holds, helpers))
        if not (writes and words.holds_all(making) and project.is_module_class(cls)):
            continue
        if words.holds("requires_grad") and not module.usage(definition).names.isdisjoint(FREEZES):
            continue  # some of it is not trained
        construction = construct(project, cls) if unreadable_base(project, cls) is None else None
        if construction is not None and construction.failure is None:
            yield from _of_class(construction)


@reads(EqualUnits, scope=File, words=(WRITES_A_CONSTANT, MAKES_A_LAYER, "Sequential("))
def equal_units_of_scripts(file: File) -> Iterator[EqualUnits]:
    """The same of the Sequential models that a script makes and trains."""
    module = file.module
    stretches = [module.matches(start, end) for start, end in module.outline.top_level]
    if any(each.holds("requires_grad") for each in stretches) or is_test(module):
        return
    run = run_of_top_level(file.project, module)
    if run is None:
        return
    names = names_in_sequences(run, run.frame.names)
    for layer, reader in (pair for each in run.sequences if each.complete for pair in _neighbours(each.children)):
        found = _equal(lambda layer, name: _constant(layer, name, names), layer, reader)
        if found is not None:
            yield _units(*found, module.name)


def _of_class(construction: Construction) -> Iterator[EqualUnits]:
    run, instance = construction.run, construction.instance
    paths = {id(layer): name for name, _, layer in modules.all_modules(run, instance)}

    def constant(layer: Instance, name: str) -> Filled | None:
        found = _constant(layer, name, paths)
        return found if found is not None and is_final(construction, found[0]) else None

    for layer, reader in (*_in_sequences(construction), *_in_forward(construction)):
        found = _equal(constant, layer, reader)
        if found is not None:
            yield _units(*found, declaring_class(construction, found[0][1][0]).qualname)


def _equal(
    constant: Callable[[Instance, str], Filled | None], layer: Instance, reader: Instance
) -> tuple[Filled, Filled] | None:
    """The weights of a layer and of the one that reads it, if all units of the layer start equal and are read alike."""
    weight, read = constant(layer, "weight"), constant(reader, "weight")
    biased = layer.attributes.get("bias", NONE) != NONE
    if weight is None or read is None or (biased and constant(layer, "bias") is None):
        return None
    apart = weight[0].storage is not read[0].storage and read[0].storage.shape is not None
    return (weight, read) if apart and _has_units(weight[0]) else None


def _units(weight: Filled, read: Filled, model: str) -> EqualUnits:
    origin = weight[1][0]
    return EqualUnits(
        observer=Observer.ANALYZER,
        place=origin.snippet.place(origin.node),
        model=model,
        parameter=weight[0].name,
        feeds=read[0].name,
    )


def _constant(layer: Instance, name: str, paths: Mapping[int, str]) -> Filled | None:
    """A parameter of a layer all of whose elements are known to start as the same number."""
    storage = _storage(layer.attributes.get(name, NONE))
    if storage is None or id(layer) not in paths:
        return None
    found = Registered(storage, f"{paths[id(layer)]}.{name}", Kind.PARAMETER, TRUE)
    start = start_of(found)
    return None if start is None or start[2] is None or start[2].family != "constant" else (found, start)


def _storage(value: Value) -> Storage | None:
    match value:
        case Tensor(storage=Memory(storage), part=None):
            return storage
    return None


def _has_units(found: Registered) -> bool:
    """Whether a layer may have more units than one."""
    shape = found.storage.shape
    return shape is not None and not (isinstance(shape[0], Constant) and shape[0].value == 1)


# Which layer reads which


def _in_sequences(construction: Construction) -> Iterator[tuple[Instance, Instance]]:
    """Neighbours in a Sequential that the class only calls as a whole."""
    attributes = {id(value): name for name, value in construction.instance.attributes.items()}
    for sequence in construction.run.sequences:
        name = attributes.get(id(sequence))
        if sequence.external == "torch.nn.Sequential" and sequence.complete and name is not None:
            uses = [use for context in _methods(construction) for use in _uses(Flow(context), name)]
            calls = [
                call for flow, node in uses if isinstance(call := flow.parents[node], ast.Call) and call.func is node
            ]
            if uses and len(calls) == len(uses):
                yield from _neighbours(sequence.children)


def _neighbours(children: Sequence[Value]) -> Iterator[tuple[Instance, Instance]]:
    last: Instance | None = None
    for child in children:
        if isinstance(child, Instance) and child.cls is None and child.external in LAYERS:
            if last is not None:
                yield last, child
            last = child
        elif not _treats_units_alike(child):
            last = None


def _in_forward(construction: Construction) -> Iterator[tuple[Instance, Instance]]:
    """A layer of the class and the one that its only use feeds, where that has no other use either."""
    layers = {
        name: value
        for name, value in construction.instance.attributes.items()
        if isinstance(value, Instance) and value.cls is None and value.external in LAYERS
    }
    uses: dict[str, list[tuple[Flow, ast.expr]]] = {name: [] for name in layers}
    for context in _methods(construction) if len(layers) > 1 else ():
        flow = Flow(context)
        for name in layers:
            uses[name] += _uses(flow, name)
    for name, found in uses.items():
        reader = _reader(construction, *found[0]) if len(found) == 1 else None
        if reader in layers and reader != name and len(uses[reader]) == 1:
            yield layers[name], layers[reader]


def _methods(construction: Construction) -> Iterator[Context]:
    """The methods of a class that run when it is used."""
    every = methods(construction.run.project, construction.cls)
    return (each for each in every if each.function and not NO_FORWARD.search(each.function.name))


def _uses(flow: Flow, name: str) -> list[tuple[Flow, ast.expr]]:
    return [
        (flow, node) for node in flow.context.walk() if isinstance(node, ast.Attribute) and own_attribute(node) == name
    ]


def _reader(construction: Construction, flow: Flow, layer: ast.expr) -> str | None:
    """The attribute that is called with what a layer gives, after functions of single elements."""
    node = flow.parents.get(layer)
    if not (isinstance(node, ast.Call) and node.func is layer and len(node.args) == 1):
        return None
    for _ in range(10):
        match parent := flow.parents.get(node):
            case ast.Call(func=function, args=[argument]) if argument is node:
                if _is_alike(construction, function):
                    node = parent
                else:
                    return own_attribute(function)
            case ast.Attribute() if isinstance(call := flow.parents.get(parent), ast.Call) and _by_name(called(call)):
                node = call
            case ast.Assign(targets=[ast.Name(id=name)]):
                read = list(flow.loads(name, parent))
                if len(read) != 1:
                    return None
                node = read[0]
            case _:
                return None
    return None


def _is_alike(construction: Construction, function: ast.expr) -> bool:
    """Whether a function, or a module of the class, treats all units alike."""
    if (name := own_attribute(function)) is not None:
        return _treats_units_alike(construction.instance.attributes.get(name))
    owner, _, last = dotted(function).rpartition(".")
    return owner in ("torch", "F", "nn.functional", "torch.nn.functional") and _by_name(last)


def _treats_units_alike(value: Value | None) -> bool:
    """Whether a module does the same to each element, or normalizes with equal gains and offsets."""
    if not isinstance(value, Instance) or value.cls is not None or value.external is None:
        return False
    if OF_ELEMENTS.fullmatch(value.external):
        return True
    own = [_storage(tensor) for name, tensor in value.attributes.items() if name in ("weight", "bias")]
    return value.external.removeprefix("torch.nn.") in torch_api.NORMALIZATIONS and all(map(_is_uniform, own))


def _is_uniform(storage: Storage | None) -> bool:
    """Whether the gain or the offset of a normalization is the same for all units."""
    if storage is None or storage.escaped:
        return False
    last = storage.writes[-1].distribution if storage.writes else None
    return not storage.writes or (last is not None and last.family == "constant")


def _by_name(name: str) -> bool:
    activation = lookup(name)
    mixes = activation is None or activation.family is Family.NORMALIZING or activation.key in ("prelu", "rrelu")
    return not mixes or name == "selu"
