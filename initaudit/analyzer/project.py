"""Resolve names to definitions: modules by dotted name, imports, re-exports, class hierarchies across files.

A project reads a file when a name refers to it, and never imports one. Torch is not read: ``torch_api`` describes its
functions.
"""

from __future__ import annotations

import builtins
import contextlib
import fnmatch
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from initaudit.analyzer.frameworks import KNOWN_BASES, MODULE_BASES, PURE_PACKAGES
from initaudit.analyzer.layout import (
    BESIDE,
    import_root,
    module_name,
    packages_around,
    programs_in,
    real_path,
    signs,
    what_is_at,
    work_folder,
    work_signs,
)
from initaudit.analyzer.lineage import bases, merge
from initaudit.analyzer.mentions import Mentions
from initaudit.analyzer.module import Module
from initaudit.analyzer.outline import Definition, outline_of
from initaudit.analyzer.reading import Search, Trail
from initaudit.analyzer.torch_api import canonical, is_known, is_torch
from initaudit.files import held, read_source
from initaudit.source import SourceError

T = TypeVar("T")
MAX_HOPS = 12
AWAKE = 32
"""Number of files after which the texts of all files read so far are dropped, to save memory."""
MAX_BESIDE = 40
"""Maximum number of files beside a package that are considered as its programs."""
FILE, FOLDER = 1, 2


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


class Project:
    """The files that names can refer to.

    Files in ``given`` keep the names that they have there. Modules are searched below the ``roots``, then in the
    ``installed`` packages.
    """

    def __init__(
        self,
        roots: Sequence[Path] = (),
        given: Sequence[str] = (),
        initializers: Sequence[str] = (),
        installed: Sequence[Path] = (),
    ) -> None:
        self.roots = list(roots)
        self._installed = list(installed)
        self._real_folders: dict[str, str] = {}
        self._given = {real_path(filename, self._real_folders): filename for filename in given}
        self._initializers = tuple(initializers)
        self.mentions = Mentions()
        self._by_file: dict[str, Module | None] = {}
        self._by_name: dict[str, tuple[Module | None, Trail]] = {}
        self._near: dict[tuple[Path, str], tuple[Module | None, Trail]] = {}
        self._mro: dict[Defined, tuple[tuple[Defined | External, ...] | None, Trail]] = {}
        self._inherited: dict[tuple[Module, frozenset[str]], tuple[list[Defined], Trail]] = {}
        self._descendants: dict[Module, tuple[dict[Defined, list[Defined]], Trail]] = {}
        self._starring: set[tuple[Module, str]] = set()
        self._star_sources: dict[Module, tuple[list[Module | str], Trail]] = {}
        self._foreign: dict[str, bool] = {}
        self._places: dict[str, int] = {}
        self._signs: dict[str, dict[str, int]] = {}
        self._work: dict[str, tuple[str, dict[str, int], list[str]]] = {}
        self._import_roots: dict[str, str] = {}
        self.trail = Trail()
        self._since = 0  # files read since texts were last dropped

    def start(self) -> None:
        """Begin to read another file, with new dependencies."""
        self.trail = Trail()
        self._since += 1
        if self._since > AWAKE:
            self._since = 0
            for module in filter(None, self._by_file.values()):
                module.rest()

    def load(self, filename: str) -> Module | None:
        """Return the module in a file, or None when it cannot be read."""
        key = real_path(filename, self._real_folders)
        filename = self._given.get(key, filename)
        self.trail.files.add(filename)
        self.trail.places.update(self._signs_around(filename))
        if key not in self._by_file:
            root, name, is_package = module_name(Path(filename), self._import_roots)
            try:
                source = read_source(filename)
            except SourceError:
                self._by_file[key] = None
            else:
                text = source.text
                if "\r" in text:
                    text = text.replace("\r\n", "\n").replace("\r", "\n")
                self._by_file[key] = Module(filename, name, is_package, text, root, source.faults)
        return self._by_file[key]

    def work_folder(self, module: Module) -> str:
        """Return the folder with all code that may use a module: its repository."""
        package = module.project_folder
        if package not in self._work:
            places = {path: what_is_at(path) for path in work_signs(package)}
            folder, users = work_folder(module.filename, package), list[str]()
            if folder == package and not any(path.startswith(f"{package}{os.sep}") for path in places if places[path]):
                above = os.path.dirname(package)  # noqa: PTH120
                places[above + BESIDE] = what_is_at(above + BESIDE)
                users = [f"{above}{os.sep}{name}" for name in programs_in(above)[:MAX_BESIDE]]
                name = os.path.basename(package)  # noqa: PTH119
                folder = above if any(self._imports(user, name) for user in users) else package
            self._work[package] = folder, places, users
        folder, places, users = self._work[package]
        self.trail.places.update(places)
        self.trail.files.update(users)
        return folder

    def _imports(self, filename: str, package: str) -> bool:
        """Whether a file imports a package, or a name of it."""
        module = self.load(filename)
        return module is not None and any(
            name.partition(".")[0] == package
            for name in (*module.outline.imports.values(), *module.outline.star_imports)
        )

    def _signs_around(self, filename: str) -> dict[str, int]:
        """Return what exists at the paths around a file that mark a package or a repository."""
        folder = os.path.dirname(filename)  # noqa: PTH120 (called for every file)
        if folder not in self._signs:
            absolute = os.path.abspath(folder)  # noqa: PTH100
            paths = signs(absolute, import_root(absolute, self._import_roots))
            self._signs[folder] = {path: what_is_at(path) for path in paths}
        return self._signs[folder]

    def read_anew(self, module: Module) -> Module | None:
        """Return the module with an outline made from Python's syntax tree; None if the present outline is right."""
        whole = module.snippet(1, len(module.lines))
        exact = outline_of(whole.body, module.lines) if whole is not None else module.outline
        if [(each.start, each.end) for each in exact.definitions] == [
            (each.start, each.end) for each in module.outline.definitions
        ]:
            return None
        anew = Module(module.filename, module.name, module.is_package, module.text, module.root, module.unread)
        anew.outline = exact
        self._replace(module, anew)
        return anew

    def _replace(self, module: Module, anew: Module) -> None:
        """Replace a module, and discard the answers that came from it."""
        self._by_file.update({key: anew for key, value in self._by_file.items() if value is module})
        self.trail.names.clear()
        for answers in self._answers:
            answers.clear()

    @property
    def _answers(self) -> tuple[dict[Any, Any], ...]:
        """Return the caches of answers that depend on the modules read so far."""
        return self._by_name, self._near, self._mro, self._inherited, self._descendants, self._star_sources

    @contextlib.contextmanager
    def instead(self, filename: str, text: str) -> Iterator[None]:
        """Pretend, inside the context, that a file has another text."""
        module = self.load(filename)
        every: tuple[dict[Any, Any], ...] = (self._by_file, *self._answers)
        kept = [dict(known) for known in every]
        if module is not None:
            self._replace(
                module, Module(module.filename, module.name, module.is_package, text, module.root, module.unread)
            )
        try:
            yield
        finally:
            for known, before in zip(every, kept, strict=True):
                known.clear()
                known.update(before)
            self.trail.names.clear()

    def module(self, name: str, near: Module | None = None) -> Module | None:
        """Return the module with a dotted name: near the importing file, below every root, then beside that file.

        A script can import the files in its folder, even if the folder is a package.
        """
        own = near is not None and near.root not in self._installed
        if near is not None and own:
            found = self._module_near(near.root, name)
            if found is not None:
                return found
        if name not in self._by_name:
            installed = () if name.partition(".")[0] in PURE_PACKAGES else self._installed
            self._by_name[name] = self._with_trail(lambda: self._first(name, [*self.roots, *installed]))
        found = self._remembered(self._by_name[name])
        if found is None and near is not None and own and name.partition(".")[0] not in sys.stdlib_module_names:
            found = self._module_near(Path(near.filename).absolute().parent, name)
        return found

    def _module_near(self, root: Path, name: str) -> Module | None:
        """Return the module below the import root of a file, or in a package around it."""
        if (root, name) not in self._near:
            packages = packages_around(root, name.partition(".")[0])
            roots = [root, *(package.parent for package in packages)]
            self._near[root, name] = self._with_trail(lambda: self._first(name, roots))
        return self._remembered(self._near[root, name])

    def _first(self, name: str, roots: Iterable[Path]) -> Module | None:
        """Return the module with a dotted name below the first root that has it; ``from . import x`` has none."""
        for root in roots if name else ():
            if (path := self._file_of(name, str(root))) is not None:
                return self.load(path)
        return None

    def _file_of(self, name: str, root: str) -> str | None:
        """Return the file of a module below a root; stop at the first missing folder."""
        *packages, last = name.split(".")
        folder = root.rstrip(os.sep)
        for package in packages:
            folder = f"{folder}{os.sep}{package}"
            if self._at(folder) != FOLDER:
                return None
        paths = (f"{folder}{os.sep}{last}{end}" for end in (".py", f"{os.sep}__init__.py"))
        return next((path for path in paths if self._at(path) == FILE), None)

    def _at(self, path: str) -> int:
        """Return what exists at a path, and record the path as a dependency."""
        if path not in self._places:
            there = what_is_at(path)
            self._places[path] = FILE if not there and held and os.path.realpath(path) in held else there
        self.trail.places[path] = self._places[path]
        return self._places[path]

    def initializes(self, name: str) -> bool:
        """Whether the configuration lists a function, by its dotted name, as an initializer of its arguments."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self._initializers)

    def find(self, search: Search) -> tuple[str, ...]:
        """Return the files that a search finds."""
        found = self.trail.answers[search] = self.mentions.matching(search)
        return found

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
            return self._inside(Defined(module, contents.members[head]), rest)
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
            self._star_sources[module] = self._with_trail(lambda: self._all_starred(module))
        return self._remembered(self._star_sources[module])

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
            return External(dotted) if self._is_foreign(module) and not _speaks_of_torch(found) else found
        return External(dotted)

    def _is_foreign(self, module: Module) -> bool:
        """Whether a module belongs to an installed package."""
        if module.filename not in self._foreign:
            path = Path(module.filename)
            self._foreign[module.filename] = any(path.is_relative_to(folder) for folder in self._installed)
        return self._foreign[module.filename]

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
                self._mro[cls] = self._with_trail(lambda: self._linearize(cls))
            except RecursionError:
                del self._mro[cls]
                raise
        return self._remembered(self._mro[cls])

    def _with_trail(self, find: Callable[[], T]) -> tuple[T, Trail]:
        """Return an answer together with its dependencies."""
        outer, self.trail = self.trail, Trail()
        try:
            return find(), self.trail
        finally:
            self.trail.end()
            self.trail = outer

    def _remembered(self, known: tuple[T, Trail]) -> T:
        """Return a remembered answer, and add its dependencies to those of the current file."""
        found, trail = known
        self.trail.add(trail)
        return found

    def descendants(self, cls: Defined, module: Module) -> Sequence[Defined]:
        """Return the classes of a file that derive from a class, in the order of the file."""
        if module not in self._descendants:
            self._descendants[module] = self._with_trail(lambda: self._by_ancestor(module))
        return self._remembered(self._descendants[module]).get(cls, ())

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
            self._inherited[module, names] = self._with_trail(lambda: self._inherited_by_any(module, names))
        return self._remembered(self._inherited[module, names])

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
