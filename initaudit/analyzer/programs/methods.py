"""What the methods of a class would write if somebody called them, and whether anybody does."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator

from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.reading import Search
from initaudit.analyzer.file.usage import OBJECT, SUPER, is_factory
from initaudit.analyzer.frameworks import CALLED_BY_FRAMEWORK, CONFIGURED_BY, FRAMEWORK_BASES, INITIALIZERS, KNOWN_BASES
from initaudit.analyzer.programs.constructor import Construction, Registered, all_registered, attempt, trial
from initaudit.analyzer.programs.graph import modules_naming
from initaudit.analyzer.project.names import Defined, External, Project
from initaudit.analyzer.project.writing import may_load, may_write, names_of
from initaudit.analyzer.symbolic.values import Storage
from initaudit.analyzer.syntax.context import own_attribute
from initaudit.analyzer.syntax.structure import constructed

ABOUT_INITIALIZATION = re.compile(r"init|reset|weight", re.IGNORECASE)
READS = re.compile(r"forward$|generate|extract|save|push|export|print|summary|get_|is_|tie_")
REMEMBERED = 4096
"""Answers about a file and a name."""


def forgotten_initializers(construction: Construction, found: Registered) -> Iterator[Defined]:
    """The methods of the class that would write the parameter, but that construction never calls."""
    at_first_use = run_by_forward(construction)
    for method in sorted(_own_methods(construction), key=lambda each: each not in at_first_use):
        if method in construction.run.called or method.definition.name.startswith("__"):
            continue
        if method.definition.name in ("extra_repr", "_load_from_state_dict", "load_state_dict"):
            continue
        if _loads_itself(method):
            yield method
            continue
        if not may_write(method.module, method.definition, found.attribute):
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
                found.storage in (entry.storage, *entry.storage.garbage) for entry in all_registered(construction)
            )
        if wrote or not kept:
            yield method


def _loads_itself(method: Defined) -> bool:
    """Whether a method loads the object; what somebody has trained before is one way to start, and not the only one."""
    loading = (name.replace("load_pretrained", "") for name in names_of(method.definition))
    return any(map(may_load, loading)) and method.module.usage(method.definition).loads_itself


def _handed_out(method: Defined, storage: Storage, used: bool) -> bool:
    """Whether a method lets code nobody can read write the memory.

    A forward hands it over to compute with it; what makes objects of the class hands these on, as any caller does.
    """
    if storage.escaped is None or READS.match(method.definition.name):
        return False
    found = method.module.function(method.definition)
    makes = found is not None and is_factory(found[1])
    return not (used or makes) or ABOUT_INITIALIZATION.search(f"{method.definition.name} {storage.escaped}") is not None


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
        name = called.definition.name
        pending += [each for each in methods if each not in found and _has_own(each, name)]
    return found


def _has_own(method: Defined, name: str) -> bool:
    return name in method.module.slice(method.definition) and name in method.module.usage(method.definition).own


def run_by_forward(construction: Construction) -> set[Defined]:
    """The forward of the class and the methods that it may call: what they write is initialized at first use."""
    methods = {each.definition.name: each for each in construction.run.project.methods(construction.cls)}
    reached: set[Defined] = set()
    names = ["forward"]
    while names:
        method = methods.get(names.pop())
        if method is not None and method not in reached:
            reached.add(method)
            names += method.module.usage(method.definition).own
    return reached


def _frameworks(project: Project, cls: Defined) -> set[str]:
    """The packages that the bases of a class come from."""
    order = project.mro(cls) or ()
    names = [base.name if isinstance(base, External) else base.module.name for base in order]
    return {name.partition(".")[0] for name in names}


def configured(construction: Construction, found: Registered) -> bool:
    """Whether the configuration that a framework initializes by speaks of the parameter, or of its class."""
    words = {
        CONFIGURED_BY[package]
        for package in _frameworks(construction.run.project, construction.cls) & CONFIGURED_BY.keys()
    }
    return bool(words) and any(
        any(word in module.text for word in words) and any(name in usage.texts for usage in module.usages(name))
        for module in modules_naming(construction.run.project, construction.cls)
        for name in (found.attribute, construction.cls.definition.name)
    )


def is_called(project: Project, cls: Defined, name: str) -> bool:
    """Whether the class itself, a base, a framework or anybody else calls a method of a class by its name."""
    order = project.mro(cls)
    foreign = order is None or any(
        isinstance(base, External) and not base.name.startswith("torch.") and base.name not in KNOWN_BASES
        for base in order
    )
    loads = "load" in name and "offload" not in name  # an engine calls it
    if name == "__init__" or "forward" in name or loads or (name in INITIALIZERS and foreign):
        return True
    return any(
        isinstance(base, Defined)
        and name in base.module.slice(base.definition)
        and any(_on_itself(each, name) for each in base.module.usage(base.definition).dotted)
        for base in order or (cls,)
    ) or called_by_others(project, cls, name)


def _on_itself(dotted: str, name: str) -> bool:
    """Whether a dotted name is that of a method of the object, or of a model that it holds."""
    owner, _, last = dotted.rpartition(".")
    return last == name and (owner in (OBJECT, SUPER, "cls") or owner.rpartition(".")[2].endswith("model"))


def called_by_others(project: Project, cls: Defined, name: str) -> bool:
    """Whether some code calls a method of this name on an object that is not itself.

    Such code knows the class, a base that has the method too, or the file that the class stands in.
    """
    if any(name in CALLED_BY_FRAMEWORK.get(package, ()) for package in _frameworks(project, cls)):
        return True
    having = [base for base in project.mro(cls) or () if isinstance(base, Defined) and name in base.definition.members]
    for known in dict.fromkeys((cls, *having)):
        if any(is_called_in(project, module, name, cls) for module in modules_naming(project, known)):
            return True
    folder = project.work_folder(cls.module)
    asking = map(project.load, project.find(Search(folder, words=(("hasattr(",), (name,)))))
    if any(module is not None and _asks_for(module, name) for module in asking):
        return True
    calling = map(project.load, project.find(Search(folder, words=((f"{name}(",), (f".{name}",)))))
    return any(
        module is not None
        and is_called_in(project, module, name, cls)
        and (_imports_from(project, module, cls.module) or is_of_one_family(project, cls, name))
        for module in calling
    )


@functools.lru_cache(maxsize=REMEMBERED)
def is_of_one_family(project: Project, cls: Defined, name: str) -> bool:
    """Whether all who define this name in a project are a class and its relatives, so that any object's is theirs."""
    family = [base for base in project.mro(cls) or () if isinstance(base, Defined) and name in base.definition.members]
    for filename in project.find(Search(project.work_folder(cls.module), word=name.encode())):
        module = project.load(filename)
        for definition in module.outline.definitions if module is not None else ():
            if definition.name != name or module is None:
                continue
            owner = Defined(module, definition.owner) if definition.owner is not None else None
            if owner is None or not any(_are_related(project, owner, each) for each in family):
                return False
    return bool(family)


def _asks_for(module: Module, name: str) -> bool:
    """Whether a file asks whether an object has a method."""
    return any(name in usage.texts and "hasattr" in usage.called for usage in module.usages(name))


@functools.lru_cache(maxsize=REMEMBERED)
def is_called_in(project: Project, module: Module, name: str, cls: Defined) -> bool:
    """Whether a file speaks of a method on an object that is not itself, and that may be one of a class."""
    for start, end in module.parts_naming(name):
        usage = module.usage_of(start, end)
        owners = {each.removesuffix(f".{name}") for each in usage.dotted if each.endswith(f".{name}")}
        if name in usage.texts or not all(
            owner in (OBJECT, SUPER) or _is_another(project, module, (start, end), owner, cls) for owner in owners
        ):
            return True
    return False


def _is_another(project: Project, module: Module, part: tuple[int, int], owner: str, cls: Defined) -> bool:
    """Whether a name in some rows is known to be a layer of torch, or an object of another class of the project.

    It is an attribute of the class around it, or an element of one, and the constructor says what that holds.
    """
    innermost = module.outline.at(part[0])
    around = innermost if innermost is None or innermost.is_class else innermost.owner
    begin, _, attribute = owner.partition(".")
    names = {attribute} if begin == OBJECT else _walked(module, part, owner)
    if around is None or not names:
        return False
    made = constructed(project, Defined(module, around))
    held = [made.get(each) for each in names]
    return all(
        each is not None
        and each.complete
        and bool(each.layers)
        and all(layer.cls is None or not _are_related(project, layer.cls, cls) for layer in each.layers)
        for each in held
    )


def _walked(module: Module, part: tuple[int, int], name: str) -> set[str]:
    """The attributes whose elements a variable stands for, one after another; none if it may be something else too."""
    snippet = module.quiet_snippet(*part)
    found, loops = set[str](), 0
    inside = list(snippet.nodes) if snippet is not None else []
    for node in inside:
        match node:
            case (
                ast.For(target=ast.Name(id=bound), iter=walked)
                | ast.comprehension(target=ast.Name(id=bound), iter=walked)
            ) if bound == name:
                if isinstance(walked, ast.Call) and isinstance(walked.func, ast.Attribute) and not walked.args:
                    walked = walked.func.value if walked.func.attr in ("values", "children") else walked
                found.add(own_attribute(walked) or "")
                loops += 1
    bindings = sum(
        isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Store) for each in inside
    )
    bindings += sum(isinstance(each, ast.arg) and each.arg == name for each in inside)
    return found if bindings == loops and "" not in found else set()


def _are_related(project: Project, one: Defined, other: Defined) -> bool:
    """Whether a class is another one, or one of the two inherits from the other."""
    return one == other or other in (project.mro(one) or ()) or one in (project.mro(other) or ())


def _imports_from(project: Project, module: Module, source: Module) -> bool:
    """Whether a file imports something that another defines."""
    found = (project.imported(module, target) for target in module.outline.imports.values())
    return source in project.star_sources(module) or any(
        isinstance(one, Defined) and one.module is source for one in found
    )
