"""Who else writes a parameter: a framework's initializer, a parent, a subclass, a caller.

A constructor that leaves memory raw is not yet a bug. Every function that may be handed the module is run with it, in
the class's own file and in the files that import the class; whatever writes the parameter there speaks for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from initaudit.analyzer.conditions import TRUE
from initaudit.analyzer.constructor import (
    Construction,
    Registered,
    attempt,
    call_entry,
    construct,
    function_node,
    trial,
    unreadable_base,
)
from initaudit.analyzer.frames import OutOfBudgetError
from initaudit.analyzer.frameworks import APPLYING_METHODS, INITIALIZERS
from initaudit.analyzer.outline import Definition
from initaudit.analyzer.project import Defined, Module, Project
from initaudit.analyzer.values import Instance, Storage, Value

WRITES = re.compile(r"[a-z]_\(|\.data\b|\binit\.|\]\s*=|\.copy_|initialize|_init")
WALKS = re.compile(r"\b(?:named_)?(?:parameters|modules|children)\(|\.apply\(|setattr\(|getattr\(")
MAX_FILES = 40


def written_elsewhere(construction: Construction, found: Registered) -> str | None:
    """Who writes a parameter that construction leaves unwritten, as far as the project shows; None for nobody."""
    before = len(found.storage.writes)
    for module in modules_that_know(construction):
        for function in candidates(construction, module, found.name):
            run_on_module(construction, function, module)
            if len(found.storage.writes) > before or found.storage.escaped:
                return function.qualname
        subclass = writing_subclass(construction, module, found.storage)
        if subclass is not None:
            return subclass
    return None


def forgotten_initializer(construction: Construction, found: Registered) -> Defined | None:
    """A method of the class that would write the parameter, but that construction never calls."""
    project, cls = construction.run.project, construction.cls
    for method in project.methods(cls):
        if method in construction.run.called or method.definition.name.startswith("__"):
            continue
        if method.definition.name in ("forward", "extra_repr", "_load_from_state_dict", "load_state_dict"):
            continue
        source = method.module.slice(method.definition)
        if not _may_write(source, found.name):
            continue
        with trial(construction):
            before = len(found.storage.writes)
            attempt(construction, method)
            wrote = len(found.storage.writes) > before
        if wrote:
            return method
    return None


def called_by_others(construction: Construction, method: Defined) -> bool:
    """Whether some code calls a method of this name on an object that is not itself."""
    pattern = re.compile(
        rf"(?<!self)(?<!super\(\))\.{re.escape(method.definition.name)}\b|['\"]{method.definition.name}['\"]"
    )
    return any(pattern.search(module.text) for module in modules_that_know(construction))


# Where to look


def modules_that_know(construction: Construction) -> Iterator[Module]:
    """The class's own file, then the files of its project that mention its name."""
    project, cls = construction.run.project, construction.cls
    yield cls.module
    for filename in project.mentions.of(cls.definition.name, _project_folder(cls.module.filename))[:MAX_FILES]:
        module = project.load(filename)
        if module is not None and module is not cls.module and _imports(project, module, cls):
            yield module


def _imports(project: Project, module: Module, cls: Defined) -> bool:
    """Whether a name of the file leads to the class, or to the module that defines it."""
    if project.resolve(module, cls.definition.name.partition(".")[0]) == cls:
        return True
    return any(module.absolute(target) == cls.module.name for target in module.outline.imports.values())


def _project_folder(filename: str) -> str:
    """The outermost package folder of a file, or the folder it lies in."""
    folder = Path(filename).absolute().parent
    while (folder.parent / "__init__.py").is_file():
        folder = folder.parent
    return str(folder)


# Functions that may be handed the module


def candidates(construction: Construction, module: Module, name: str) -> Iterator[Defined]:
    """Functions of a file that may write the parameter of a module they are given, or of a part of themselves."""
    own = {base for base in construction.run.project.mro(construction.cls) or () if isinstance(base, Defined)}
    inherited: set[Defined] = set()
    for definition in module.outline.definitions:
        defined = Defined(module, definition)
        if definition.is_class:
            inherited |= set(_inherited_initializers(construction.run.project, defined))
            continue
        if definition.parent is not None and not definition.parent.is_class:
            continue
        if (
            definition.owner is not None
            and Defined(module, definition.owner) in own
            and not _takes_module(definition, module)
        ):
            continue
        if _may_write(module.slice(definition), name):
            yield defined
    yield from sorted(inherited, key=lambda method: method.qualname)


def _takes_module(definition: Definition, module: Module) -> bool:
    header = module.lines[definition.row - 1]
    return definition.name in INITIALIZERS and "self," in header


def _inherited_initializers(project: Project, cls: Defined) -> Iterator[Defined]:
    """Framework methods that a class of the file inherits from another file."""
    for name in INITIALIZERS:
        method = project.method(cls, name)
        if isinstance(method, Defined) and method.module is not cls.module and method.qualname not in APPLYING_METHODS:
            yield method


def _may_write(source: str, name: str) -> bool:
    if not WRITES.search(source):
        return False
    attribute = name.partition(".")[0]
    return re.search(rf"\b{re.escape(attribute)}\b", source) is not None or WALKS.search(source) is not None


def run_on_module(construction: Construction, function: Defined, module: Module) -> None:
    """Run a function once for each of its first parameters, with the module as that argument."""
    node = function_node(function)
    if node is None:
        return
    run = construction.run
    owner = function.definition.owner
    instance: Instance | None = None
    if owner is not None:
        instance = Instance(Defined(function.module, owner), "torch.nn.Module")
        if _contains(module, owner, construction.cls.definition.name):
            instance.attributes["child"] = construction.instance
    names = [param.name.value for param in (*node.params.posonly_params, *node.params.params)]
    names = names[1:] if owner is not None else names
    if function.definition.name == "__init__":
        names = [name for name in names if re.search(rf"\b{name}\.", module.slice(function.definition))]
    arguments: list[dict[str, Value]] = [{name: construction.instance} for name in names[:2]]
    for known in arguments or [{}]:
        try:
            call_entry(run, instance, function, known)
        except (OutOfBudgetError, RecursionError):
            construction.failure = f"{function.definition.name} is too long to follow"
        finally:
            del run.frames[:]
            run.condition = TRUE


def _contains(module: Module, owner: Definition, name: str) -> bool:
    """Whether a class of the file speaks of another, itself or through classes of the file that it speaks of."""
    members = module.outline.members
    pending, seen = [owner.name], set()
    while pending:
        current = pending.pop()
        if current in seen or current not in members:
            continue
        seen.add(current)
        words = set(re.findall(r"\b[A-Z]\w+", module.slice(members[current])))
        if name in words:
            return True
        pending += words & members.keys()
    return False


def writing_subclass(construction: Construction, module: Module, storage: Storage) -> str | None:
    """A subclass whose constructor writes what this class leaves raw."""
    project = construction.run.project
    for definition in module.outline.classes():
        subclass = Defined(module, definition)
        if subclass == construction.cls or construction.cls not in (project.mro(subclass) or ()):
            continue
        if unreadable_base(project, subclass):
            return subclass.qualname
        built = construct(project, subclass)
        same = [other for other in built.run.storages if _same_place(other, storage)]
        if built.failure or any(other.writes or other.escaped for other in same):
            return subclass.qualname
    return None


def _same_place(one: Storage, two: Storage) -> bool:
    return one.origin is not None and two.origin is not None and one.origin.node is two.origin.node
