"""Resolve names to definitions: imports, re-exports, class hierarchies across files.

Torch is not read: ``torch_api`` describes its functions.
"""

from __future__ import annotations

import builtins
import fnmatch
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Definition
from initaudit.analyzer.file.reading import Search, Trail
from initaudit.analyzer.frameworks import KNOWN_BASES, MODULE_BASES
from initaudit.analyzer.project.lineage import bases, merge
from initaudit.analyzer.project.modules import Modules
from initaudit.analyzer.torch_api import canonical, is_known, is_torch

MAX_HOPS = 12


@dataclass(frozen=True, slots=True)
class Defined:
    """A class or function of a module whose source can be read."""

    module: Module
    definition: Definition

    @property
    def qualname(self) -> str:
        return f"{self.module.name}.{self.definition.qualname}"

    def __hash__(self) -> int:
        return hash((id(self.module), self.definition.row))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Defined) and self.module is other.module and self.definition.row == other.definition.row
        )


@dataclass(frozen=True, slots=True)
class Global:
    """A name that a top-level statement of such a module assigns."""

    module: Module
    name: str


@dataclass(frozen=True, slots=True)
class External:
    """A name of a package outside of the project; for torch, the canonical name."""

    name: str


Resolved = Defined | Global | External | Module


class Project(Modules):
    """The modules that names can refer to, and what the names in them mean.

    ``initializers`` are the functions that the configuration lists as such.
    """

    def __init__(
        self,
        roots: Sequence[Path] = (),
        given: Sequence[str] = (),
        initializers: Sequence[str] = (),
        installed: Sequence[Path] = (),
    ) -> None:
        super().__init__(roots, given, installed)
        self._initializers = tuple(initializers)
        self._mro: dict[Defined, tuple[tuple[Defined | External, ...] | None, Trail]] = {}
        self._inherited: dict[tuple[Module, frozenset[str]], tuple[list[Defined], Trail]] = {}
        self._descendants: dict[Module, tuple[dict[Defined, list[Defined]], Trail]] = {}
        self._starring: set[tuple[Module, str]] = set()
        self._star_sources: dict[Module, tuple[list[Module | str], Trail]] = {}
        self.answers += [self._mro, self._inherited, self._descendants, self._star_sources]

    def initializes(self, name: str) -> bool:
        """Whether the configuration lists a function, by its dotted name, as an initializer of its arguments."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self._initializers)

    def files_naming(self, defined: Defined) -> tuple[str, ...]:
        """Return the files that mention a class or function, and import that name or a package that contains it."""
        name = defined.definition.name.encode()
        imported = (name, *os.fsencode(defined.module.name).split(b"."))
        return self.find(Search(defined.module.project_folder, word=name, imported=imported))

    def resolve(self, module: Module, dotted: str, hops: int = 0) -> Resolved | None:
        """Return what a dotted name refers to at the top level of a module; None if nothing binds it."""
        head, _, rest = dotted.partition(".")
        contents = module.outline
        if head in contents.members:
            member = Defined(module, contents.members[head])
            return self._stood_in_for(member, rest, hops) or self._inside(member, rest)
        if head in contents.imports:
            return self.imported(module, contents.imports[head] + (f".{rest}" if rest else ""), hops + 1)
        if head in contents.globals:
            return self._global(module, head, rest, hops)
        if not contents.star_imports or (module, head) in self._starring:
            return None
        self._starring.add((module, head))  # the star-imported module may itself need this name
        try:
            return self._starred(module, dotted, hops)
        finally:
            self._starring.remove((module, head))

    def _stood_in_for(self, cls: Defined, rest: str, hops: int) -> External | None:
        """Return what torch has by a name, where a branch of the file defines an empty class in its place.

        Such is a class without bases for where torch is missing.
        """
        module, definition = cls.module, cls.definition
        name, outline = definition.name, module.outline
        if not (definition.is_class and definition.indent) or hops > MAX_HOPS:
            return None
        if set(bases(module.lines[definition.row - 1 : definition.end])) - {"object"}:
            return None
        behind = f".{rest}" if rest else ""
        if name in outline.imports:
            found = self.imported(module, outline.imports[name] + behind, hops + 1)
        else:
            alias = module.alias_in_branch(name)
            found = self.resolve(module, alias + behind, hops + 1) if alias else None
        return found if isinstance(found, External) and is_torch(found.name) else None

    def _starred(self, module: Module, dotted: str, hops: int) -> Resolved | None:
        """Return what a name refers to that only star imports can bind: the last import that certainly has it.

        A name that only torch can have is torch's. If an unreadable module may have it, the answer is unknown.
        """
        head = dotted.partition(".")[0]
        unread: list[str] = []
        for source in self.star_sources(module):
            if isinstance(source, str):
                if is_known(canonical(f"{source}.{head}")):
                    return External(canonical(f"{source}.{dotted}"))
                unread.append(source)
            elif source.outline.binds(head) and hops < MAX_HOPS:
                found = self.resolve(source, dotted, hops + 1)
                if found is not None:
                    return found
        if unread and all(map(is_torch, unread)) and not hasattr(builtins, head):
            return External(canonical(f"{unread[0]}.{dotted}"))
        return None

    def unreadable_star(self, module: Module) -> str | None:
        """Return the unreadable modules whose star import may bind any name that a file does not bind itself."""
        sources = (source for source in self.star_sources(module) if isinstance(source, str))
        return next((source for source in sources if not is_torch(source)), None)

    def star_sources(self, module: Module) -> Sequence[Module | str]:
        """Return the modules that a file star-imports, directly or not, the last first; unreadable ones by name."""
        if module not in self._star_sources:
            self._star_sources[module] = self.with_trail(lambda: self._all_starred(module))
        return self.remembered(self._star_sources[module])

    def _all_starred(self, module: Module) -> list[Module | str]:
        found: list[Module | str] = []
        pending: list[Module | str] = [module]
        while pending:
            source = pending.pop()
            if source not in found:
                found.append(source)
                if isinstance(source, Module):
                    names = map(source.absolute, source.outline.star_imports)
                    pending += [name if is_torch(name) else self.module(name, source) or name for name in names]
        return found[1:]

    def imported(self, module: Module, dotted: str, hops: int = 0) -> Resolved | None:
        """Return what a dotted name refers to in a module that imports it."""
        return self.absolute(module.absolute(dotted), hops, module)

    def absolute(self, dotted: str, hops: int = 0, near: Module | None = None) -> Resolved | None:
        """Return what an absolute dotted name refers to, as seen from a module."""
        if hops > MAX_HOPS:
            return None
        if is_torch(dotted):
            return External(canonical(dotted))
        if dotted in KNOWN_BASES:
            return External(dotted)
        parts = dotted.split(".")
        for count in range(len(parts), 0, -1):
            name = ".".join(parts[:count])
            module = self.module(name, near)
            if module is None or (module is near and name != near.name):  # found beside itself
                continue
            rest = ".".join(parts[count:])
            found = self.resolve(module, rest, hops + 1) if rest else module
            return External(dotted) if self.is_foreign(module) and not _speaks_of_torch(found) else found
        return External(dotted)

    def _inside(self, defined: Defined, rest: str) -> Resolved | None:
        """Return a nested class: ``Outer.Inner``."""
        for name in rest.split(".") if rest else []:
            member = defined.definition.members.get(name)
            if member is None:
                return None
            defined = Defined(defined.module, member)
        return defined

    def _global(self, module: Module, name: str, rest: str, hops: int) -> Resolved | None:
        """Return a top-level assignment, or the target of a plain alias (``Parameter = nn.Parameter``)."""
        alias = module.alias(name)
        if alias and hops < MAX_HOPS:
            target = self.resolve(module, alias + (f".{rest}" if rest else ""), hops + 1)
            if target is not None and target != Global(module, name):
                return target
        return None if rest else Global(module, name)

    def mro(self, cls: Defined) -> tuple[Defined | External, ...] | None:
        """Return the method resolution order as far as source is readable; None if a base cannot be resolved."""
        if cls not in self._mro:
            self._mro[cls] = None, Trail()  # a class that derives from itself has no resolution order
            try:
                self._mro[cls] = self.with_trail(lambda: self._linearize(cls))
            except RecursionError:
                del self._mro[cls]
                raise
        return self.remembered(self._mro[cls])

    def descendants(self, cls: Defined, module: Module) -> Sequence[Defined]:
        """Return the classes of a file that derive from a class, in the order of the file."""
        if module not in self._descendants:
            self._descendants[module] = self.with_trail(lambda: self._by_ancestor(module))
        return self.remembered(self._descendants[module]).get(cls, ())

    def _by_ancestor(self, module: Module) -> dict[Defined, list[Defined]]:
        found: dict[Defined, list[Defined]] = {}
        for definition in module.outline.classes():
            for base in (self.mro(Defined(module, definition)) or ())[1:]:
                if isinstance(base, Defined):
                    found.setdefault(base, []).append(Defined(module, definition))
        return found

    def inherited(self, module: Module, names: frozenset[str]) -> Sequence[Defined]:
        """Return the methods with some names that the classes of a file inherit from other files."""
        if (module, names) not in self._inherited:
            self._inherited[module, names] = self.with_trail(lambda: self._inherited_by_any(module, names))
        return self.remembered(self._inherited[module, names])

    def _inherited_by_any(self, module: Module, names: frozenset[str]) -> list[Defined]:
        classes = (Defined(module, definition) for definition in module.outline.classes())
        found = {self.method(cls, name) for cls in classes for name in names}
        methods = (each for each in found if isinstance(each, Defined) and each.module is not module)
        return sorted(methods, key=lambda method: method.qualname)

    def _linearize(self, cls: Defined) -> tuple[Defined | External, ...] | None:
        sequences: list[list[Defined | External]] = []
        direct: list[Defined | External] = []
        for base in bases(cls.module.lines[cls.definition.row - 1 : cls.definition.end]):
            target = self.resolve_base(cls, base)
            if isinstance(target, Defined):
                inherited = self.mro(target)
                if inherited is None:
                    return None
                sequences.append(list(inherited))
            elif isinstance(target, External):
                sequences.append([target])
            else:
                return None
            direct.append(sequences[-1][0])
        merged = merge([*sequences, direct]) if len(direct) > 1 else sequences[0] if sequences else []
        return None if merged is None else (cls, *merged)

    def resolve_base(self, cls: Defined, base: str) -> Resolved | None:
        """Return a base class as named in the class statement."""
        if cls.definition.parent is not None and base in cls.definition.parent.members:
            return Defined(cls.module, cls.definition.parent.members[base])
        found = self.resolve(cls.module, base)
        return External(base) if found is None and base in ("object", "Exception", "dict", "list", "tuple") else found

    def is_module_class(self, cls: Defined) -> bool:
        """Whether the class is known to derive from ``torch.nn.Module``."""
        order = self.mro(cls)
        return order is not None and any(
            isinstance(base, External) and (base.name.startswith("torch.nn.") or base.name in MODULE_BASES)
            for base in order
        )

    def method(self, cls: Defined, name: str, after: Defined | None = None) -> Defined | External | None:
        """Return the definition of a method in resolution order, starting behind ``after`` as ``super()`` does."""
        order = self.mro(cls) or (cls,)
        if after is not None and after in order:
            order = order[order.index(after) + 1 :]
        for base in order:
            if isinstance(base, External):
                return base
            if (member := base.definition.members.get(name)) is not None and not member.is_class:
                return Defined(base.module, member)
        return None

    def methods(self, cls: Defined) -> Iterator[Defined]:
        """Return every method of the class, without overridden ones."""
        seen: set[str] = set()
        for base in self.mro(cls) or (cls,):
            if isinstance(base, Defined):
                for name, member in base.definition.members.items():
                    if not member.is_class and name not in seen:
                        seen.add(name)
                        yield Defined(base.module, member)


def _speaks_of_torch(found: Resolved | None) -> bool:
    """Whether resolving a name may lead to tensors; installed packages without torch are not followed."""
    match found:
        case Module() | External():
            return True
        case Defined(module) | Global(module):
            return b"torch" in module.raw
        case _:
            return False
