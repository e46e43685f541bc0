"""Chains of weights and their activations, as far as a constructor and a forward show."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from initaudit.analyzer.file.matches import groups
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Definition
from initaudit.analyzer.frameworks import INITIALIZERS
from initaudit.analyzer.programs.constructor import Construction, attempt, construct, trial, unreadable_base
from initaudit.analyzer.programs.follow import run_top_level
from initaudit.analyzer.programs.graph import is_template
from initaudit.analyzer.programs.verdict import initialize
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import FunctionNode, last_name, parameters
from initaudit.analyzer.symbolic import tensors
from initaudit.analyzer.symbolic.conditions import TRUE
from initaudit.analyzer.symbolic.execution import execute
from initaudit.analyzer.symbolic.frames import Following, Frame
from initaudit.analyzer.symbolic.interpreter import Interpreter
from initaudit.analyzer.symbolic.torch import layers, modules
from initaudit.analyzer.symbolic.values import (
    Instance,
    Memory,
    Origin,
    OutOfBudgetError,
    Signal,
    Storage,
    Symbol,
    Tensor,
    Value,
    WriteEvent,
    leaves,
)
from initaudit.analyzer.syntax.context import File
from initaudit.analyzer.syntax.scopes import scopes
from initaudit.finding import Observer
from initaudit.schemes import recognise
from initaudit.timeline import Chain, Link

RECTIFIER = "relu Relu ReLU RELU"
BY_A_ROOT = groups(("normal_( uniform_(", "sqrt"))
SATURATING = "tanh Tanh sigmoid Sigmoid"
INPUT = Signal(None)
UNNAMED = "model"
"""What a model is called in a message that no name holds at the end of a run."""
_FORMATTED = re.compile(r"""\bf(?P<quote>['"])(?P<text>[^'"]*)(?P=quote)""")
_FIELD = re.compile(r"\{[^{}]*\}")


@reads(Chain, scope=File, words=(SATURATING, "kaiming_"), imported=False)
@reads(Chain, scope=File, words=(RECTIFIER, "normal_( uniform_(", "sqrt"), imported=False)
@reads(Chain, scope=File, words=(RECTIFIER, "xavier glorot"), imported=False)
def chains(file: File) -> Iterator[Chain]:
    """Chains of weights in the classes of a file and in the Sequential models that its functions and scripts build."""
    project, module = file.project, file.module
    if is_template(project, module):
        return
    scaling = _scaling_functions(module)
    making = [each for each in module.naming("Sequential") if not each.is_class and each.owner is None]
    for definition in module.outline.classes():
        cls = Defined(module, definition)
        if not _may_hold_a_chain(module, definition, making, scaling):
            continue
        if project.is_module_class(cls) and unreadable_base(project, cls) is None:
            yield from _of_class(project, cls)
    for start, end, function in scopes(module):
        if function in making:
            yield from _of_function(project, module, start, end)
    if making or any("Sequential" in module.rows(start, end) for start, end in module.outline.top_level):
        yield from _of_top_level(project, module)


def _draws_for(module: Module, definition: Definition) -> frozenset[str]:
    """The kinds of activation that what a definition draws is not made for: after a scheme for others."""
    words = module.matches(definition.start, definition.end)
    found = {SATURATING} if words.holds("kaiming_") else set()
    if (
        words.holds("xavier")
        or words.holds("glorot")
        or (words.holds_all(BY_A_ROOT) and _by_a_root(module, definition))
    ):
        found.add(RECTIFIER)
    return frozenset(found)


def _by_a_root(module: Module, definition: Definition) -> bool:
    """Whether some draw is given a root, as the schemes that are written out are."""
    snippet = module.snippet(definition.start, definition.end)
    return snippet is not None and any(
        isinstance(node, ast.Call)
        and last_name(node.func).endswith(("normal_", "uniform_"))
        and any(last_name(inner) == "sqrt" for inner in ast.walk(node))
        for node in snippet.nodes
    )


def _scaling_functions(module: Module) -> set[str]:
    """The names of functions of a file that draw by a scheme, and of what calls them on a framework's behalf."""
    names = {each.name for each in module.outline.definitions if not each.is_class and _draws_for(module, each)}
    return names | ({"post_init"} if names & set(INITIALIZERS) else set())


def _may_hold_a_chain(module: Module, definition: Definition, making: list[Definition], scaling: set[str]) -> bool:
    """Whether a class, or a function of its layers, has such an activation, and something draws for another one."""
    words = module.matches(definition.start, definition.end)
    parts = [words, *(module.matches(each.start, each.end) for each in making if words.holds(each.name))]
    met = {kind for kind in (RECTIFIER, SATURATING) if any(part.holds_all(groups(kind)) for part in parts)}
    return bool(met) and (bool(scaling) or bool(met & _draws_for(module, definition)) or _draws_at_top_level(module))


def _draws_at_top_level(module: Module) -> bool:
    """Whether the statements of a file draw by a scheme."""
    return any(
        (words := module.matches(start, end)).holds("xavier") or words.holds("glorot") or words.holds("kaiming_")
        for start, end in module.outline.top_level
    )


def _of_class(project: Project, cls: Defined) -> Iterator[Chain]:
    """The chains of a class. The programs that initialize it are followed where its forward makes a chain at all."""
    construction = construct(project, cls)
    if construction.failure is not None:
        return
    with trial(construction):
        _pass(construction)
    construction.run.restart()
    if any(_activated(construction.run)):
        initialize(construction)
        _pass(construction)
        yield from _chains(construction.run, cls.qualname, construction.instance)


def _pass(construction: Construction) -> None:
    """Give a signal to an object."""
    run, cls = construction.run, construction.cls
    run.signals.clear()
    forward = run.project.method(cls, "forward")
    if isinstance(forward, Defined):
        attempt(construction, forward, **dict.fromkeys(_inputs(forward), INPUT))
    elif construction.instance.external == "torch.nn.Sequential":
        snippet = cls.module.quiet_snippet(cls.definition.start, cls.definition.end)
        if snippet is not None and snippet.body:
            layers.forward(run, construction.instance, [INPUT], Origin(snippet, snippet.body[0]))


def _inputs(forward: Defined) -> list[str]:
    """The first parameter of a forward behind ``self``."""
    found = forward.module.function(forward.definition)
    return [param.arg for param in parameters(found[1])[1:2]] if found is not None else []


def _of_function(project: Project, module: Module, start: int, end: int) -> Iterator[Chain]:
    """The Sequential models that a function builds."""
    snippet = module.snippet(start, end)
    if snippet is None or not snippet.body or not isinstance(snippet.body[0], FunctionNode):
        return
    run, node = Interpreter(project), snippet.body[0]
    run.frames.append(Frame(module, snippet))
    try:
        execute(run, node.body)
    except (OutOfBudgetError, RecursionError):
        return
    yield from _of_sequences(run, module, run.frame.names, Origin(snippet, node))


def _of_top_level(project: Project, module: Module) -> Iterator[Chain]:
    """The Sequential models that a script or the cells of a notebook build."""
    run = run_of_top_level(project, module)
    if run is not None:
        snippet = run.frame.snippet
        yield from _of_sequences(run, module, run.frame.names, Origin(snippet, snippet.body[0]))


def run_of_top_level(project: Project, module: Module) -> Interpreter | None:
    """The run of the statements of a script, or of the cells of a notebook, where it comes to its end."""
    run, following = Interpreter(project), Following(re.compile(r"(?!)"))
    run.following = following
    try:
        run_top_level(run, following, module)
    except (OutOfBudgetError, RecursionError):
        return None
    return run if run.frames else None


def _of_sequences(run: Interpreter, module: Module, held: Mapping[str, Value], origin: Origin) -> Iterator[Chain]:
    """The chains in the Sequential models of a run, by the names that ``held`` them at its end."""
    try:
        for sequence in list(run.sequences):
            layers.forward(run, sequence, [INPUT], origin)
    except (OutOfBudgetError, RecursionError):
        return
    yield from _chains(run, module.name, None, names_in_sequences(run, held))


def names_in_sequences(run: Interpreter, held: Mapping[str, Value]) -> dict[int, str]:
    """What the modules in the Sequential models of a run are called, by the names that hold these."""
    models = {id(value): name for name, value in reversed(list(held.items()))}
    names: dict[int, str] = {}
    for sequence in sorted(run.sequences, key=lambda each: id(each) not in models):
        _name_children(sequence, models.get(id(sequence), UNNAMED), names)
    return names


def _name_children(sequence: Instance, path: str, names: dict[int, str]) -> None:
    """Name what a Sequential holds, and what the Sequentials in it hold, as an expression would."""
    spelled = [*((f"[{i}]", each) for i, each in enumerate(sequence.children)), *sequence.attributes.items()]
    for name, child in spelled:
        if isinstance(child, Instance) and id(child) not in names:
            names[id(child)] = f"{path}{name}" if name.startswith("[") else f"{path}.{name}"
            _name_children(child, names[id(child)], names)


def _chains(
    run: Interpreter, model: str, instance: Instance | None, names: dict[int, str] | None = None
) -> Iterator[Chain]:
    """The longest chains among the signals of a run."""
    paths = names if names is not None else _paths(run, instance)
    seen: set[tuple[int, ...]] = set()
    for trail in sorted(_activated(run), key=len, reverse=True):
        keys = tuple(id(weight) for weight, _ in trail)
        if any(keys == other[: len(keys)] for other in seen):
            continue
        seen.add(keys)
        links = [_link(weight, activation, model, paths) for weight, activation in trail]
        if any(link.schemes for link in links):
            yield Chain(observer=Observer.ANALYZER, model=model, links=tuple(links), normalized=False)


def _activated(run: Interpreter) -> Iterator[tuple[tuple[Instance, str], ...]]:
    """The weights that a signal came through, each with the activation behind it, where nothing normalized it."""
    for signal in run.signals:
        if signal.weight is not None and signal.activation is not None and not signal.normalized:
            yield (*signal.trail, (signal.weight, signal.activation))


def _paths(run: Interpreter, instance: Instance | None) -> dict[int, str]:
    """The name of each module below an object."""
    if instance is None:
        return {}
    return {id(module): name for name, _, module in modules.all_modules(run, instance)}


def _shown(path: str) -> str:
    """A path as a reader takes it in: ``fc*`` for what is named ``f'fc{i}'``."""
    return _FORMATTED.sub(lambda found: _FIELD.sub("*", found["text"]), path)


def _link(weight: Instance, activation: str, model: str, paths: dict[int, str]) -> Link:
    storage = _storage(weight)
    event = _last_write(storage) if storage is not None else None
    shape = tensors.known_shape(storage.shape) if storage is not None else None
    complete = tuple(size for size in shape if size is not None) if shape and None not in shape else None
    schemes: tuple[str, ...] = ()
    gain = fan_in = fan_out = variance = None
    if event is not None:
        found = recognise(event.distribution, complete, event.by) if event.distribution is not None and complete else ()
        if found:
            schemes = tuple(dict.fromkeys(recognition.scheme for recognition in found))
            gain = found[0].gain
            variance = event.distribution.std**2 if event.distribution and event.distribution.std else None
        elif event.gain is not None:
            schemes = () if _narrows(storage) else (event.by.removeprefix("init.").rstrip("_"),)
            gain = event.gain
    if complete is not None and len(complete) >= 2:
        receptive = 1
        for size in complete[2:]:
            receptive *= size
        fan_in, fan_out = complete[1] * receptive, complete[0] * receptive
    name = _shown(paths.get(id(weight), ""))
    return Link(
        place=event.origin.snippet.place(event.origin.node) if event is not None and schemes else None,
        model=model,
        parameter=f"{name}.weight".lstrip("."),
        schemes=schemes,
        gain=gain,
        activation=activation,
        fan_in=fan_in,
        fan_out=fan_out,
        variance=variance,
    )


def _narrows(storage: Storage | None) -> bool:
    """Whether a weight of unknown shape has fewer outputs than inputs, so that Xavier's scheme may suit a rectifier."""
    match storage.shape if storage is not None else None:
        case (Symbol(outputs), Symbol(inputs), *_):
            return outputs.startswith(f"({inputs} //")
    return False


def _storage(weight: Instance) -> Storage | None:
    for _, leaf in leaves(weight.attributes.get("weight", INPUT), TRUE):
        if isinstance(leaf, Tensor):
            for _, memory in leaves(leaf.storage, TRUE):
                if isinstance(memory, Memory):
                    return memory.storage
    return None


def _last_write(storage: Storage) -> WriteEvent | None:
    """The last write of all of the memory, if it happens on every path on which the memory exists, and leaves it so."""
    events = [event for event in storage.writes if event.part is None]
    if not events or storage.changed or events[-1].condition not in (TRUE, storage.condition):
        return None
    return events[-1]
