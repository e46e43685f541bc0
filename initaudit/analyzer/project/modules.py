"""Find the modules that names can refer to, by file and by dotted name, and read each once.

A file is read when a name refers to it, and never imported. What an answer depends on is kept with it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from initaudit.analyzer.file.layout import (
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
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import outline_of
from initaudit.analyzer.file.reading import Search, Trail
from initaudit.analyzer.frameworks import PURE_PACKAGES
from initaudit.analyzer.project.mentions import Mentions
from initaudit.sources.files import held, read_source
from initaudit.sources.source import SourceError

T = TypeVar("T")
AWAKE = 32
"""Number of files after which the texts of all files read so far are dropped, to save memory."""
MAX_BESIDE = 40
"""Maximum number of files beside a package that are considered as its programs."""
FILE, FOLDER = 1, 2


class Modules:
    """The modules that names can refer to.

    Files in ``given`` keep the names that they have there. Modules are searched below the ``roots``, then in the
    ``installed`` packages.
    """

    def __init__(self, roots: Sequence[Path], given: Sequence[str], installed: Sequence[Path]) -> None:
        self.roots = list(roots)
        self._installed = list(installed)
        self._real_folders: dict[str, str] = {}
        self._given = {real_path(filename, self._real_folders): filename for filename in given}
        self.mentions = Mentions()
        self._real: dict[str, str] = {}
        self._by_file: dict[str, Module | None] = {}
        self._by_name: dict[str, tuple[Module | None, Trail]] = {}
        self._near: dict[tuple[Path, str], tuple[Module | None, Trail]] = {}
        self.answers: list[dict[Any, Any]] = [self._by_name, self._near]  # those that depend on the modules read so far
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
        key = self._real.get(filename) or self._real.setdefault(filename, real_path(filename, self._real_folders))
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
        names = {name for name, key in self._real.items() if self._by_file.get(key) is module}
        self._by_file.update({key: anew for key, value in self._by_file.items() if value is module})
        self.trail.known.clear()
        for answers in self.answers:
            for question in [each for each, (_, trail) in answers.items() if not names.isdisjoint(trail.files)]:
                del answers[question]

    @contextlib.contextmanager
    def instead(self, filename: str, text: str) -> Iterator[None]:
        """Pretend, inside the context, that a file has another text."""
        module = self.load(filename)
        every: tuple[dict[Any, Any], ...] = (self._by_file, *self.answers)
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
            self.trail.known.clear()

    def module(self, name: str, near: Module | None = None) -> Module | None:
        """Return the module with a dotted name: near the importing file, below every root, beside it, or around it.

        A script can import the files in its folder, even if the folder is a package. A program in a folder around it
        can import what lies there, up to the folder of the repository.
        """
        own = near is not None and near.root not in self._installed
        if near is not None and own:
            found = self._module_near(near.root, name)
            if found is not None:
                return found
        if name not in self._by_name:
            installed = () if name.partition(".")[0] in PURE_PACKAGES else self._installed
            self._by_name[name] = self.with_trail(lambda: self._first(name, [*self.roots, *installed]))
        found = self.remembered(self._by_name[name])
        if found is None and near is not None and own and name.partition(".")[0] not in sys.stdlib_module_names:
            found = self._module_near(Path(near.filename).absolute().parent, name) or self._module_around(near, name)
        return found

    def _module_around(self, near: Module, name: str) -> Module | None:
        """Return the module below a folder around a file that lies in its repository."""
        whole = Path(self.work_folder(near))
        for folder in near.root.parents if whole in near.root.parents else ():
            if (found := self._module_near(folder, name)) is not None or folder == whole:
                return found
        return None

    def _module_near(self, root: Path, name: str) -> Module | None:
        """Return the module below the import root of a file, or in a package around it."""
        if (root, name) not in self._near:
            packages = packages_around(root, name.partition(".")[0])
            roots = [root, *(package.parent for package in packages)]
            self._near[root, name] = self.with_trail(lambda: self._first(name, roots))
        return self.remembered(self._near[root, name])

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

    def is_foreign(self, module: Module) -> bool:
        """Whether a module belongs to an installed package."""
        if module.filename not in self._foreign:
            path = Path(module.filename)
            self._foreign[module.filename] = any(path.is_relative_to(folder) for folder in self._installed)
        return self._foreign[module.filename]

    def find(self, search: Search) -> tuple[str, ...]:
        """Return the files that a search finds."""
        found = self.trail.answers[search] = self.mentions.matching(search)
        return found

    def with_trail(self, find: Callable[[], T]) -> tuple[T, Trail]:
        """Return an answer together with its dependencies."""
        outer, self.trail = self.trail, Trail()
        try:
            return find(), self.trail
        finally:
            self.trail.end()
            self.trail = outer

    def remembered(self, known: tuple[T, Trail]) -> T:
        """Return a remembered answer, and add its dependencies to those of the current file."""
        found, trail = known
        self.trail.add(trail)
        return found
