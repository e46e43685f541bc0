"""What writes a parameter whenever its class is built: methods that a framework or others call, and subclasses.

A constructor that leaves memory raw is not yet a bug. Every method that is called and may be handed the module is run
with it, in the class's own file and in the files of what holds it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from initaudit.analyzer.file.collected import is_test
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Definition
from initaudit.analyzer.file.usage import spelled
from initaudit.analyzer.frameworks import APPLYING_METHODS, INITIALIZERS, TIES
from initaudit.analyzer.programs.constructor import (
    Construction,
    Registered,
    call_entry,
    construct,
    declaring_class,
    not_followed,
    registered,
    trial,
    unreadable_base,
)
from initaudit.analyzer.programs.graph import Around, Scope, around, modules_naming
from initaudit.analyzer.programs.methods import (
    ABOUT_INITIALIZATION,
    forgotten_initializers,
    is_called,
    run_by_forward,
)
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.project.writing import functions
from initaudit.analyzer.source.snippets import Snippet, dotted, inner_nodes, parameters
from initaudit.analyzer.symbolic.computed_names import REACHED
from initaudit.analyzer.symbolic.conditions import TRUE
from initaudit.analyzer.symbolic.torch.modules import LOADED
from initaudit.analyzer.symbolic.values import Instance, OutOfBudgetError, Storage, Value

PROPERTIES = ("device", "dtype", "shape", "size", "requires_grad", "ndim", "numel", "dim")
NO_MODULE = re.compile(r"\b(?:\w*Tensor|str|int|float|bool|[dD]ict|Path|PathLike|device|dtype|Size|ndarray)\b")
MAX_CONTAINERS = 60
MODULE_ESCAPED = "the module was passed on"
"""A module whose own escape says nothing of its memory."""


def promised(construction: Construction, found: Registered, *, uncalled: bool = False) -> str | None:
    """What writes a parameter whenever its class is built: what holds it, a framework, a subclass; None for nothing.

    Methods that nothing calls count where ``uncalled`` ones do.
    """
    project, own = construction.run.project, construction.cls.module
    near = frozenset(_containers(construction.cls, own))
    writer = _written_in(
        construction, found, [own], near, uncalled=uncalled
    )  # mostly it is there, and the project need not be searched
    if writer is not None:
        return writer
    holding = containers(construction)
    known = [*modules_naming(project, construction.cls), *(container.module for container in holding)]
    if found.storage.origin is not None:
        known += modules_naming(project, declaring_class(construction, found.storage.origin))
    others = [each for each in known if each is not own or holding != near]
    writer = _written_in(construction, found, others, holding, uncalled=uncalled)
    if writer is not None:
        return writer
    tying = next((each for each in holding if _ties(each, construction.cls, found.name)), None)
    return tying.qualname if tying is not None else None


def containers(construction: Construction) -> frozenset[Defined]:
    """The modules of the project that may hold the class."""
    return surroundings(construction).holding


def surroundings(construction: Construction) -> Around:
    """What may build the class, looked for once."""
    if construction.around is None:
        construction.around = around(construction.run.project, construction.cls)
    return construction.around


def _containers(cls: Defined, module: Module) -> set[Defined]:
    """The classes of a file that speak of a class, or of a class that does."""
    found, frontier = {cls}, [cls]
    while frontier and len(found) < MAX_CONTAINERS:
        inner = frontier.pop(0)
        for definition in module.naming(inner.definition.name):
            outer = Defined(module, definition)
            if definition.is_class and outer not in found:
                found.add(outer)
                frontier.append(outer)
    return found


def combined(project: Project, mixin: Defined) -> Iterator[Defined]:
    """The classes of modules that derive from a class that is none itself, where they are made of it by name."""
    for module in modules_naming(project, mixin):
        yield from filter(project.is_module_class, project.descendants(mixin, module))


def _ties(container: Defined, cls: Defined, name: str) -> bool:
    """Whether a model says that a parameter of a module in it is another one, which it names."""
    module, definition = container.module, container.definition
    ties = TIES in module.slice(definition)
    found = module.quiet_snippet(definition.start, definition.end) if ties else None
    nodes = found.nodes if found is not None else ()
    tied = {
        key.value for node in nodes if isinstance(node, ast.Dict) for key in node.keys if isinstance(key, ast.Constant)
    }
    held = {
        spelled(target).removeprefix("self.")
        for node in nodes
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and spelled(node.value.func) == cls.definition.name
        for target in node.targets
    }
    return any(isinstance(key, str) and f".{key}".endswith(f".{each}.{name}") for key in tied for each in held)


def _written_in(
    construction: Construction,
    found: Registered,
    modules: Iterable[Module],
    holding: frozenset[Defined],
    *,
    uncalled: bool,
) -> str | None:
    """Who in some files writes the parameter."""
    before = len(found.storage.writes)
    own = Scope(construction.cls.module, None)
    for module in dict.fromkeys(modules):
        if is_test(module) and not own.is_test:
            continue  # what a test does to a model says nothing of others
        for function in candidates(construction, module, found.attribute):
            owner = function.definition.owner
            name = function.definition.name
            if owner is None or (name == "__init__" and not uncalled):
                continue
            if not uncalled and not is_called(construction.run.project, Defined(function.module, owner), name):
                continue
            if not uncalled and not ABOUT_INITIALIZATION.search(name) and _copies_back(function):
                continue
            if _is_about_initialization(function):
                run_on_module(construction, function, holding)
                if len(found.storage.writes) > before or found.storage.escaped:
                    return function.qualname
                continue
            with trial(construction):
                run_on_module(construction, function, holding)
                certain = (REACHED, LOADED) if name == "__init__" else (REACHED,)
                if len(found.storage.writes) > before or found.storage.escaped in certain:
                    return function.qualname
                escaped = found.storage.escaped is not None
            if escaped and _hands_on(function, found.name) and _hands_itself_on(construction, function, found, holding):
                return function.qualname
        subclass = writing_subclass(construction, module, found.storage)
        if subclass is not None:
            return subclass
    return None


def _is_about_initialization(function: Defined) -> bool:
    """Whether a function that hands the module to code nobody can read may do so to have it initialized.

    Otherwise it has to write the parameter itself, or hand on that: the argument that was taken for a module may be
    anything. One that does not parse may do either.
    """
    called = function.definition.name
    known = called == "__init__" or "forward" in called or not ABOUT_INITIALIZATION.search(called)
    return not known or function.module.function(function.definition) is None


def _copies_back(function: Defined) -> bool:
    """Whether a method copies tensors that it is given, or that its object keeps, into all parameters of the object.

    Such are averages and earlier values, of which the code that calls it shows where they come from.
    """
    found = function.module.function(function.definition)
    for node in found[0].nodes if found is not None else ():
        match node:
            case ast.For(target=ast.Tuple([ast.Name(), ast.Name()]), iter=ast.Call(ast.Name("zip"), [ast.Call(), *_])):
                walked = node.iter.args[0] if isinstance(node.iter, ast.Call) else None
                if isinstance(walked, ast.Call) and dotted(walked.func) == "self.parameters":
                    return True
    return False


def _hands_on(function: Defined, name: str) -> bool:
    """Whether a function gives a parameter, by its name, to what it calls; a forward does so to compute with it."""
    found = function.module.function(function.definition) if "forward" not in function.definition.name else None
    return found is not None and any(_gives(node, name.partition(".")[0]) for node in found[0].nodes)


def _hands_itself_on(
    construction: Construction, function: Defined, found: Registered, holding: frozenset[Defined]
) -> bool:
    """Whether a function hands on the parameter itself, and not only the module, to train that for example."""
    with trial(construction):
        construction.instance.escaped = construction.instance.escaped or MODULE_ESCAPED
        run_on_module(construction, function, holding)
        if found.storage.escaped is None:
            return False
    run_on_module(construction, function, holding)
    return True


def _gives(node: ast.AST, attribute: str) -> bool:
    """Whether a call is given an attribute, or what it holds, and not only what is asked of it."""
    pending: list[ast.AST] = [*node.args, *(each.value for each in node.keywords)] if isinstance(node, ast.Call) else []
    while pending:
        inner = pending.pop()
        if isinstance(inner, ast.Attribute) and inner.attr == attribute:
            return True
        if not isinstance(inner, ast.Call) and not (isinstance(inner, ast.Attribute) and inner.attr in PROPERTIES):
            pending += inner_nodes(inner)
    return False


# Functions that may be handed the module


def candidates(construction: Construction, module: Module, name: str) -> Iterator[Defined]:
    """Functions of a file that may write the parameter of a module they are given, or of a part of themselves."""
    project = construction.run.project
    own = {base for base in project.mro(construction.cls) or () if isinstance(base, Defined)}
    for definition in functions(module).that_may_write(name):
        owner = Defined(module, definition.owner) if definition.owner is not None else None
        if owner not in own or (definition.name in INITIALIZERS and _takes_module(definition, module)):
            yield Defined(module, definition)
    for method in project.inherited(module, INITIALIZERS):
        if method.qualname not in APPLYING_METHODS:
            yield method


def _takes_module(definition: Definition, module: Module) -> bool:
    found = module.function(definition)
    return found is not None and len(parameters(found[1])) > 1


def run_on_module(
    construction: Construction,
    function: Defined,
    holding: frozenset[Defined],
    *,
    whole_model: bool = False,
    outermost: bool = False,
) -> None:
    """Run a function once for each of its first parameters, with the module (or a model around it) as that argument.

    The method of a class that may hold the module finds it as a child, and under any attribute it does not know. Of a
    model that is the module itself, the ``outermost`` one, nothing is around.
    """
    found = function.module.function(function.definition)
    if found is None:
        construction.failure = not_followed(function)
        return
    snippet, node = found
    run = construction.run
    run.built = construction.instance
    owner = function.definition.owner
    model = Instance(None, "torch.nn.Module", attributes={"child": construction.instance})
    if outermost:
        model = construction.instance
    instance: Instance | None = None
    if owner is not None:
        cls = Defined(function.module, owner)
        instance = Instance(cls, "torch.nn.Module")
        if cls in holding:
            instance.attributes["child"] = construction.instance
            run.stand_in, run.holding = model, holding
    positional = (*node.args.posonlyargs, *node.args.args)
    names = [param.arg for param in positional if _may_be_module(snippet, param)]
    names = names[1:] if owner is not None else names
    if function.definition.name == "__init__":
        used = {each.partition(".")[0] for each in function.module.usage(function.definition).dotted}
        names = [name for name in names if name in used]
    given = model if whole_model else construction.instance
    arguments: list[dict[str, Value]] = [{name: given} for name in names[:2]]
    for known in arguments or [{}]:
        try:
            call_entry(run, instance, function, known)
        except (OutOfBudgetError, RecursionError):
            if ABOUT_INITIALIZATION.search(function.definition.name):
                construction.failure = f"{function.definition.name} is too long to follow"
        finally:
            del run.frames[:]
            run.condition = TRUE
    run.stand_in, run.holding, run.built = None, frozenset(), None


def _may_be_module(snippet: Snippet, param: ast.arg) -> bool:
    """Whether a parameter is not annotated as something else."""
    annotation = ast.unparse(param.annotation) if param.annotation is not None else ""
    return NO_MODULE.search(annotation) is None or "Module" in annotation


def writing_subclass(construction: Construction, module: Module, storage: Storage) -> str | None:
    """A subclass whose constructor writes what this class leaves raw, or whose forward does so at its first use."""
    project = construction.run.project
    for subclass in project.descendants(construction.cls, module):
        if unreadable_base(project, subclass):
            return subclass.qualname
        built = construct(project, subclass)
        same = [other for other in built.run.storages if _same_place(other, storage)]
        if built.failure or any(other.escaped or _writes_more(other, storage) for other in same):
            return subclass.qualname
        own = [entry for entry in registered(built) if entry.storage in same]
        used = run_by_forward(built) if own else set()
        if any(method in used for entry in own for method in forgotten_initializers(built, entry)):
            return subclass.qualname
    return None


def _writes_more(one: Storage, two: Storage) -> bool:
    """Whether one memory is written by what does not write another, or where it does not."""
    known = {(id(event.origin.node), event.condition) for event in two.writes}
    return any((id(event.origin.node), event.condition) not in known for event in one.writes)


def _same_place(one: Storage, two: Storage) -> bool:
    return one.origin is not None and two.origin is not None and one.origin.node is two.origin.node
