"""Who else writes a parameter: a framework's initializer, a parent, a subclass, a caller.

A constructor that leaves memory raw is not yet a bug. Every function that may be handed the module is run with it, in
the class's own file and in the files that import the class; whatever writes the parameter there speaks for it.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from initaudit.analyzer.constructor import (
    Construction,
    Registered,
    attempt,
    call_entry,
    construct,
    declaring_class,
    not_followed,
    registered,
    trial,
    unreadable_base,
)
from initaudit.analyzer.frameworks import (
    APPLYING_METHODS,
    CALLED_BY_FRAMEWORK,
    CONFIGURED_BY,
    FRAMEWORK_BASES,
    INITIALIZERS,
    TIES,
)
from initaudit.analyzer.layout import repository_folder
from initaudit.analyzer.module import Module
from initaudit.analyzer.outline import Definition
from initaudit.analyzer.project import Defined, External, Project
from initaudit.analyzer.reading import Search
from initaudit.analyzer.snippets import Snippet
from initaudit.analyzer.symbolic.computed_names import REACHED
from initaudit.analyzer.symbolic.conditions import TRUE
from initaudit.analyzer.symbolic.modules import LOADED
from initaudit.analyzer.symbolic.values import Instance, OutOfBudgetError, Storage, Value
from initaudit.analyzer.writing import functions, may_write

LOADS_ITSELF = re.compile(
    r"\bdef \w*(?<!off)load(?!_pretrained)\w*\((?s:.*)(?:\bself\.(?:named_)?parameters\(|\w\(self[,)])"
)
"""Loading what somebody has trained before is one way to start, and not the only one."""
WALKS_A_MODEL = re.compile(rb"\bin\b[^\n]*\b(?:model|module|net|network|m)\.(?:named_)?(?:parameters|modules)\(")
INITIALIZES = re.compile(r"init\.\w+_\(|\.(?:normal|uniform|zero|fill)_\(")
ABOUT_INITIALIZATION = re.compile(r"init|reset|weight", re.IGNORECASE)
READS = re.compile(r"forward$|generate|extract|save|push|export|print|summary|get_|is_|tie_")
PROPERTIES = ("device", "dtype", "shape", "size", "requires_grad", "ndim", "numel", "dim")
NO_MODULE = re.compile(r"\b(?:\w*Tensor|str|int|float|bool|[dD]ict|Path|PathLike|device|dtype|Size|ndarray)\b")
MAX_FILES = 40
REMEMBERED = 4096
"""Answers about a file and a name."""
MAX_CONTAINERS = 60


def written_elsewhere(construction: Construction, found: Registered) -> str | None:
    """Who writes a parameter that construction leaves unwritten, as far as the project shows; None for nobody."""
    own = construction.cls.module
    near = frozenset(_containers(construction.run.project, construction.cls, own))
    writer = _written_in(construction, found, [own], near)  # mostly it is there, and the project need not be searched
    if writer is not None:
        return writer
    before = len(found.storage.writes)
    holding = containers(construction)
    known = [*modules_that_know(construction), *(container.module for container in holding)]
    if found.storage.origin is not None:
        known += _modules_naming(construction.run.project, declaring_class(construction, found.storage.origin))
    writer = _written_in(construction, found, [each for each in known if each is not own or holding != near], holding)
    if writer is not None:
        return writer
    tying = next((each for each in holding if _ties(each, construction.cls, found.name)), None)
    if tying is not None:
        return tying.qualname
    for function in model_initializers(construction):
        run_on_module(construction, function, holding, whole_model=True)
        if len(found.storage.writes) > before or found.storage.escaped:
            return function.qualname
    return None


def _ties(container: Defined, cls: Defined, name: str) -> bool:
    """Whether a model says that a parameter of a module in it is another one, which it names."""
    source = container.module.slice(container.definition)
    keys = re.findall(rf"['\"](?:[\w.]+\.)?(\w+)\.{re.escape(name)}['\"]\s*:", source) if TIES in source else ()
    return any(re.search(rf"\bself\.{key}\s*=\s*{cls.definition.name}\(", source) for key in keys)


def _written_in(
    construction: Construction, found: Registered, modules: Iterable[Module], holding: frozenset[Defined]
) -> str | None:
    """Who in some files writes the parameter."""
    before = len(found.storage.writes)
    for module in dict.fromkeys(modules):
        for function in candidates(construction, module, found.name):
            if _is_trusted(function, found.name):
                run_on_module(construction, function, holding)
                if len(found.storage.writes) > before or found.storage.escaped:
                    return function.qualname
                continue
            with trial(construction):
                run_on_module(construction, function, holding)
                certain = (REACHED, LOADED) if function.definition.name == "__init__" else (REACHED,)
                if len(found.storage.writes) > before or found.storage.escaped in certain:
                    return function.qualname
        subclass = writing_subclass(construction, module, found.storage)
        if subclass is not None:
            return subclass
    return None


def _is_trusted(function: Defined, name: str) -> bool:
    """Whether a function that hands the module to code nobody can read may do so to have it initialized.

    Otherwise it has to write the parameter itself: the argument that was taken for a module may be anything. One that
    does not parse may do either.
    """
    if function.module.function(function.definition) is None:
        return True
    called = function.definition.name
    if called == "__init__" or "forward" in called or not ABOUT_INITIALIZATION.search(called):
        attribute = re.escape(name.partition(".")[0])
        handed_on = re.compile(rf"\w\([^()\n]*\w\.{attribute}\b(?!\.(?:{'|'.join(PROPERTIES)})\b)")
        return "forward" not in called and handed_on.search(function.module.slice(function.definition)) is not None
    return True


def forgotten_initializers(construction: Construction, found: Registered) -> Iterator[Defined]:
    """The methods of the class that would write the parameter, but that construction never calls."""
    at_first_use = run_by_forward(construction)
    for method in sorted(_own_methods(construction), key=lambda each: each not in at_first_use):
        if method in construction.run.called or method.definition.name.startswith("__"):
            continue
        if method.definition.name in ("extra_repr", "_load_from_state_dict", "load_state_dict"):
            continue
        source = method.module.slice(method.definition)
        if LOADS_ITSELF.search(source):
            yield method
            continue
        if not may_write(source, found.name):
            continue
        if method.module.function(method.definition) is None:
            yield method
            continue
        with trial(construction):
            before = len(found.storage.writes)
            construction.run.built = construction.instance  # a factory makes one, and fills it
            attempt(construction, method)
            construction.run.built = None
            wrote = len(found.storage.writes) > before or _handed_out(method, found.storage, method in at_first_use)
            kept = any(
                found.storage in (entry.storage, *entry.storage.garbage)
                for raw in (True, False)
                for entry in registered(construction, raw=raw)
            )
        if wrote or not kept:
            yield method


def _handed_out(method: Defined, storage: Storage, used: bool) -> bool:
    """Whether a method lets code nobody can read write the memory; a forward hands it over to compute with it."""
    if storage.escaped is None or READS.match(method.definition.name):
        return False
    return not used or ABOUT_INITIALIZATION.search(f"{method.definition.name} {storage.escaped}") is not None


def _own_methods(construction: Construction) -> Iterator[Defined]:
    """The methods of a class, except what a framework's base gives all models: what that does is known by its name."""
    project = construction.run.project
    given: set[str] = set()
    for base in project.mro(construction.cls) or (construction.cls,):
        if given or (isinstance(base, Defined) and base.qualname in FRAMEWORK_BASES):
            given.add(base.qualname if isinstance(base, Defined) else base.name)
    for method in project.methods(construction.cls):
        if method.qualname.rpartition(".")[0] not in given:
            yield method


def callers(construction: Construction, method: Defined) -> set[Defined]:
    """The methods of the class that lead to one of them, and that one itself."""
    methods = list(construction.run.project.methods(construction.cls))
    found: set[Defined] = set()
    pending = [method]
    while pending:
        called = pending.pop()
        found.add(called)
        calls = re.compile(rf"\bself\.{re.escape(called.definition.name)}\b")
        pending += [each for each in methods if each not in found and calls.search(each.module.slice(each.definition))]
    return found


def run_by_forward(construction: Construction) -> set[Defined]:
    """The forward of the class and the methods that it may call: what they write is initialized at first use."""
    methods = {each.definition.name: each for each in construction.run.project.methods(construction.cls)}
    reached: set[Defined] = set()
    names = ["forward"]
    while names:
        method = methods.get(names.pop())
        if method is not None and method not in reached:
            reached.add(method)
            names += re.findall(r"\bself\.(\w+)", method.module.slice(method.definition))
    return reached


def _frameworks(construction: Construction) -> set[str]:
    """The packages that the bases of a class come from."""
    order = construction.run.project.mro(construction.cls) or ()
    names = [base.name if isinstance(base, External) else base.module.name for base in order]
    return {name.partition(".")[0] for name in names}


def configured(construction: Construction, found: Registered) -> bool:
    """Whether the configuration that a framework initializes by speaks of the parameter, or of its class."""
    words = {CONFIGURED_BY[package] for package in _frameworks(construction) & CONFIGURED_BY.keys()}
    named = re.compile(rf"['\"](?:{re.escape(found.name)}|{re.escape(construction.cls.definition.name)})['\"]")
    return bool(words) and any(
        any(word in module.text for word in words) and named.search(module.text)
        for module in modules_that_know(construction)
    )


def called_by_others(construction: Construction, method: Defined) -> bool:
    """Whether some code calls a method of this name on an object that is not itself.

    Such code knows the class, a base that has the method too, or the file that the class stands in.
    """
    project, cls, name = construction.run.project, construction.cls, method.definition.name
    if any(name in CALLED_BY_FRAMEWORK.get(package, ()) for package in _frameworks(construction)):
        return True
    having = [base for base in project.mro(cls) or () if isinstance(base, Defined) and name in base.definition.members]
    for known in dict.fromkeys((cls, *having)):
        if any(_is_called(module, name) for module in _modules_naming(project, known)):
            return True
    folder = repository_folder(cls.module.filename)
    if project.find(Search(folder, pattern=rf"hasattr\(\s*\w+\s*,\s*['\"]{name}['\"]".encode())):
        return True
    calling = (project.load(filename) for filename in project.find(Search(folder, pattern=rf"\.{name}\(".encode())))
    return any(
        module is not None and _is_called(module, name) and _imports_from(project, module, cls.module)
        for module in calling
    )


@functools.lru_cache(maxsize=REMEMBERED)
def _is_called(module: Module, name: str) -> bool:
    """Whether a file speaks of a method on an object that is not itself."""
    return re.search(rf"\.(?<!self\.)(?<!super\(\)\.){name}\b|['\"]{name}['\"]", module.text) is not None


# Where to look


def containers(construction: Construction) -> frozenset[Defined]:
    """The classes of the project that speak of the class, or of a class that does, and so may be built around it."""
    if construction.around is None:
        construction.around = frozenset(_containers(construction.run.project, construction.cls))
    return construction.around


def _containers(project: Project, cls: Defined, within: Module | None = None) -> set[Defined]:
    """Those of the whole project, or those ``within`` a file."""
    found, frontier = {cls}, [cls]
    while frontier and len(found) < MAX_CONTAINERS:
        inner = frontier.pop(0)
        for module in _modules_naming(project, inner) if within is None else (within,):
            for definition in module.naming(inner.definition.name):
                outer = Defined(module, definition)
                if definition.is_class and outer not in found:
                    found.add(outer)
                    frontier.append(outer)
    return found


def model_initializers(construction: Construction) -> Iterator[Defined]:
    """Functions of the project that initialize whatever model they are given."""
    project = construction.run.project
    folder = construction.cls.module.project_folder
    if not (Path(folder) / "__init__.py").is_file():
        return  # scripts that share a folder are no project
    walks = (Search(folder, word=word, pattern=WALKS_A_MODEL.pattern) for word in (b"parameters(", b"modules("))
    for filename in sorted({filename for walk in walks for filename in project.find(walk)})[:MAX_FILES]:
        module = project.load(filename)
        for definition in module.outline.members.values() if module is not None else ():
            if definition.is_class or module is None or not ABOUT_INITIALIZATION.search(definition.name):
                continue
            text = module.slice(definition)
            if WALKS_A_MODEL.search(text.encode()) and INITIALIZES.search(text):
                yield Defined(module, definition)


def combined(project: Project, mixin: Defined) -> Iterator[Defined]:
    """The classes of modules that derive from a class that is none itself, where they are made of it by name."""
    for module in _modules_naming(project, mixin):
        yield from filter(project.is_module_class, project.descendants(mixin, module))


def modules_that_know(construction: Construction) -> Iterator[Module]:
    """The class's own file, then the files of its project that mention its name."""
    return _modules_naming(construction.run.project, construction.cls)


def _modules_naming(project: Project, cls: Defined) -> Iterator[Module]:
    """The file of a class, then the files that import it."""
    yield cls.module
    for filename in project.files_naming(cls)[:MAX_FILES]:
        module = project.load(filename)
        if module is None or module is cls.module or is_template(project, module):
            continue
        if _imports(project, module, cls):
            yield module


def is_template(project: Project, module: Module) -> bool:
    """Whether another file of the folder says that it was generated from this one, and is what Python imports."""
    stem = module.name.rpartition(".")[2]
    if not stem.startswith("modular_"):
        return False
    generated = Path(module.filename).with_name(f"{stem.replace('modular_', 'modeling_', 1)}.py")
    project.trail.files.add(str(generated))
    try:
        with generated.open(encoding="utf-8", errors="replace") as file:
            return "generated from" in (head := file.read(2_000)) and f"{stem}.py" in head
    except OSError:
        return False


def _imports(project: Project, module: Module, cls: Defined) -> bool:
    """Whether a name of the file leads to the class, or to the module that defines it."""
    if project.resolve(module, cls.definition.name.partition(".")[0]) == cls:
        return True
    last = cls.module.name.rpartition(".")[2]
    named = (target for target in module.outline.imports.values() if target.rpartition(".")[2] == last)
    return any(project.imported(module, target) is cls.module for target in named)


def _imports_from(project: Project, module: Module, source: Module) -> bool:
    """Whether a file imports something that another defines."""
    found = (project.imported(module, target) for target in module.outline.imports.values())
    return source in project.star_sources(module) or any(
        isinstance(one, Defined) and one.module is source for one in found
    )


# Functions that may be handed the module


def candidates(construction: Construction, module: Module, name: str) -> Iterator[Defined]:
    """Functions of a file that may write the parameter of a module they are given, or of a part of themselves."""
    project = construction.run.project
    own = {base for base in project.mro(construction.cls) or () if isinstance(base, Defined)}
    for definition in functions(module).that_may_write(name):
        owner = Defined(module, definition.owner) if definition.owner is not None else None
        if owner not in own or _takes_module(definition, module):
            yield Defined(module, definition)
    for method in project.inherited(module, INITIALIZERS):
        if method.qualname not in APPLYING_METHODS:
            yield method


def _takes_module(definition: Definition, module: Module) -> bool:
    header = module.lines[definition.row - 1]
    return definition.name in INITIALIZERS and "self," in header


def run_on_module(
    construction: Construction, function: Defined, holding: frozenset[Defined], *, whole_model: bool = False
) -> None:
    """Run a function once for each of its first parameters, with the module (or a model around it) as that argument.

    The method of a class that may hold the module finds it as a child, and under any attribute it does not know.
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
        names = [name for name in names if re.search(rf"\b{name}\.", function.module.slice(function.definition))]
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
    annotation = snippet.source(param.annotation) if param.annotation is not None else ""
    return NO_MODULE.search(annotation) is None or "Module" in annotation


def writing_subclass(construction: Construction, module: Module, storage: Storage) -> str | None:
    """A subclass whose constructor writes what this class leaves raw."""
    project = construction.run.project
    for subclass in project.descendants(construction.cls, module):
        if unreadable_base(project, subclass):
            return subclass.qualname
        built = construct(project, subclass)
        same = [other for other in built.run.storages if _same_place(other, storage)]
        if built.failure or any(other.writes or other.escaped for other in same):
            return subclass.qualname
    return None


def _same_place(one: Storage, two: Storage) -> bool:
    return one.origin is not None and two.origin is not None and one.origin.node is two.origin.node
