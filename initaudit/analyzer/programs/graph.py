"""The call graph and the containment graph of a project, as one: which code names a class, a function or a registry.

Made from outlines and words; no code is run. An edge leads from what is named to the code that names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from initaudit.analyzer.file.collected import is_test
from initaudit.analyzer.file.matches import groups
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Definition
from initaudit.analyzer.file.reading import Search, imported_names
from initaudit.analyzer.file.usage import is_factory
from initaudit.analyzer.project.names import Defined, External, Global, Project
from initaudit.analyzer.source.snippets import Snippet
from initaudit.analyzer.syntax.scopes import scopes_holding

MAX_FILES = 40
MAX_CONTAINERS = 60
MAX_SCOPES = 120
CONFIGURED = frozenset({"instantiate", "instantiate_from_config"})
"""Functions that build what a configuration names: Hydra's, and one that many projects have of their own."""
FROM_CONFIG = groups("instantiate_from_config(")
INSTANTIATES = groups("instantiate( instantiate_from_config(")


@dataclass(frozen=True, slots=True)
class Scope:
    """Code that runs as a whole: a function, a class with its methods, or the top level of a file (no definition)."""

    module: Module
    definition: Definition | None

    @property
    def defined(self) -> Defined | None:
        """The function or class; None for top-level code."""
        return Defined(self.module, self.definition) if self.definition is not None else None

    @property
    def is_test(self) -> bool:
        """Whether only a test runs it."""
        return is_test(self.module)

    def __hash__(self) -> int:
        return hash((id(self.module), self.definition.row if self.definition is not None else 0))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scope) and self.module is other.module and self.definition is other.definition


@dataclass(slots=True)
class Around:
    """What may build a class: the modules that may hold it, and all code that leads there, the nearest first.

    ``through`` tells for each scope what it names, ``words`` are all names that lead to the class. The first ``named``
    scopes name it, or what leads to it; the others only build something that a configuration names.
    """

    holding: frozenset[Defined]
    scopes: list[Scope] = field(default_factory=list)
    through: dict[Scope, set[Scope]] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    named: int = 0


def around(project: Project, cls: Defined, *, in_file: bool = False) -> Around:
    """Follow the names of a class, of its subclasses and of what holds it, to all code that may build it.

    Only code of its own file counts ``in_file``.
    """
    start = Scope(cls.module, cls.definition)
    found = Around(frozenset())
    holding, seen, pending = {cls}, {start}, [start]
    words = {cls.definition.name}
    while pending and len(holding) < MAX_CONTAINERS and len(found.scopes) < MAX_SCOPES:
        inner = pending.pop(0)
        defined = inner.defined
        targets: list[Defined | Global] = [defined] if defined is not None else []
        while targets:
            target = targets.pop(0)
            for scope, name in namers(project, target, in_file=in_file):
                if isinstance(name, Global):
                    if name not in targets and name.name not in words:
                        words.add(name.name)
                        targets.append(name)
                    continue
                found.through.setdefault(scope, set()).add(inner)
                if scope in seen:
                    continue
                seen.add(scope)
                outer = scope.defined
                if outer is not None:
                    words.add(outer.definition.name)
                    pending.append(scope)
                if outer is not None and outer.definition.is_class and project.is_module_class(outer):
                    holding.add(outer)
                found.scopes.append(scope)
        if words.isdisjoint(CONFIGURED):
            found.named = len(found.scopes)
        if not pending and not in_file and words.isdisjoint(CONFIGURED) and not any(map(_is_program, found.scopes)):
            words |= CONFIGURED
            for scope in _by_configuration(project, cls.module):
                found.through.setdefault(scope, set()).add(start)
                if scope not in seen:
                    seen.add(scope)
                    found.scopes.append(scope)
                    pending += [scope] if scope.definition is not None else []
    found.holding = frozenset(holding)
    found.words = frozenset(words)
    return found


def _is_program(scope: Scope) -> bool:
    """Whether code is neither a class nor a test."""
    return not scope.is_test and (scope.definition is None or not scope.definition.is_class)


def _by_configuration(project: Project, module: Module) -> Iterator[Scope]:
    """The code of a project that builds what a configuration file names, whatever that is."""
    for filename in project.find(Search(project.work_folder(module), words=INSTANTIATES))[:MAX_FILES]:
        other = project.load(filename)
        if other is None:
            continue
        hydra = any(full.partition(".")[0] == "hydra" for full in other.outline.imports.values())
        for start, end, definition in scopes_holding(other, INSTANTIATES if hydra else FROM_CONFIG):
            if start <= end:
                yield Scope(other, definition.outermost if definition is not None else None)


def namers(
    project: Project, target: Defined | Global, *, in_file: bool = False
) -> Iterator[tuple[Scope, Global | None]]:
    """The scopes that name a class, a function or a registry, and what their top level assigns from it."""
    name = target.definition.name if isinstance(target, Defined) else target.name
    seen: set[tuple[Scope, Global | None]] = set()
    for module in (target.module,) if in_file else modules_naming(project, target):
        for local in local_names(project, module, target, name):
            for row in module.rows_of(local):
                if _is_of_another(project, module, row, local):
                    continue
                for each in _scopes_at(module, row, local, target):
                    if each not in seen:
                        seen.add(each)
                        yield each


def _is_of_another(project: Project, module: Module, row: int, name: str) -> bool:
    """Whether the code around a row names only what another package has: ``nn.Linear`` beside a class ``Linear``."""
    around = module.outline.at(row)
    used = module.usage(around.outermost) if around is not None else module.usage_at(row)
    others = [each for each in used.dotted if each.endswith(f".{name}")]
    if not others or name in used.variables or any(name in imported for imported in used.imports):
        return False
    if any(text.rpartition(".")[2] == name for text in used.texts):
        return False
    return all(isinstance(project.resolve(module, each), External) for each in others)


def local_names(project: Project, module: Module, target: Defined | Global, name: str) -> list[str]:
    """The names by which a file knows a definition."""
    aliases = [
        local for local, full in module.outline.imports.items() if local != name and full.rpartition(".")[2] == name
    ]
    meant = [local for local in aliases if project.resolve(module, local) == target]
    head = name.partition(".")[0]
    return [*meant, name] if module is target.module or head not in module.outline.imports or not meant else meant


def _scopes_at(module: Module, row: int, name: str, target: Defined | Global) -> Iterator[tuple[Scope, Global | None]]:
    definition = module.outline.at(row)
    if definition is None:
        if module.names_at_top_level(name, row):
            assigned = next((g for g, (start, end) in module.outline.globals.items() if start <= row <= end), None)
            if assigned is not None and assigned != name:
                yield Scope(module, None), Global(module, assigned)
            yield Scope(module, None), None
        return
    top = definition.outermost
    if not _uses(module, top, name):
        return
    if isinstance(target, Defined) and module is target.module:
        inside = target.definition.outermost
        if top is inside and not top.is_class:
            return
        if top is inside and target.definition.is_class and target.definition is top:
            if definition is top or not _is_made_in(module, definition, name):
                return
            yield Scope(module, definition), None  # a factory of the class itself
            return
    yield Scope(module, top), None


def _uses(module: Module, definition: Definition, name: str) -> bool:
    """Whether code uses a name, or has it at the end of a string; a docstring or a comment may only speak of it."""
    used = module.usage(definition)
    return not used.names or name in used.names or any(text.rpartition(".")[2] == name for text in used.texts)


def _is_made_in(module: Module, definition: Definition, name: str) -> bool:
    """Whether a method that makes objects of its class, a static or a class method, names something."""
    found = module.function(definition) if definition.start != definition.row else None
    return found is not None and is_factory(found[1]) and name in module.usage(definition).names


def modules_naming(project: Project, target: Defined | Global) -> Iterator[Module]:
    """The file of a definition, then the files of its project that import it, wherever they lie."""
    yield target.module
    name = target.definition.name if isinstance(target, Defined) else target.name
    for filename in files_naming(project, target.module, name)[:MAX_FILES]:
        module = project.load(filename)
        if module is None or module is target.module or is_template(project, module):
            continue
        if imports(project, module, target, name):
            yield module


def files_naming(project: Project, source: Module, name: str) -> tuple[str, ...]:
    """The files of a project that name something of a file, and import it or a package that it is in."""
    imported = (name.encode(), *(part.encode(errors="surrogateescape") for part in source.name.split(".")))
    return project.find(Search(project.work_folder(source), name.encode(), imported=imported))


def imports(project: Project, module: Module, target: Defined | Global, name: str) -> bool:
    """Whether a name of a file, or of a function in it, leads to a definition or to the module that has it."""
    if project.resolve(module, name.partition(".")[0]) == target:
        return True
    last = target.module.name.rpartition(".")[2]
    if last in module.text and not set(Path(target.module.filename).parts[:-1]).isdisjoint(
        module.outline.imports.values()
    ):
        return True  # `import package.module`, and the whole name where it is used
    for local, full in module.outline.imports.items():
        end = full.rpartition(".")[2]
        if (end == last and project.imported(module, full) is target.module) or (
            end == name and project.resolve(module, local) == target
        ):
            return True
    return any(
        project.imported(module, f"{source}{'' if source.endswith('.') else '.'}{name}") == target
        for source in _local_imports(module, name)
    )


def _local_imports(module: Module, name: str) -> set[str]:
    """What functions of a file import a name from."""
    if name.encode() not in imported_names(module.raw):
        return set()
    return {source for usage in module.usages(name) for source, each in usage.imports if each == name}


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


def top_level(module: Module) -> Iterator[tuple[Snippet | None, Definition | None]]:
    """The top level of a file in its order: stretches of statements, and the definitions between them."""
    parts: list[tuple[int, int, Definition | None]] = [
        (start, end, None) for start, end in module.outline.top_level if not _only_imports(module, start, end)
    ]
    parts += [(each.start, each.end, each) for each in module.outline.outermost()]
    for start, end, definition in sorted(parts, key=lambda part: part[0]):
        yield (module.quiet_snippet(start, end) if definition is None else None), definition


def _only_imports(module: Module, start: int, end: int) -> bool:
    rows = module.lines[start - 1 : end]
    return all(re.match(r"(?:from|import)\b|\s*(?:#.*)?$", row) for row in rows)
