"""Who calls or mentions a function by its name, in the repository of its file."""

from __future__ import annotations

import ast
import contextlib
import functools
import textwrap
import weakref
from collections.abc import Iterator
from typing import NamedTuple

from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Definition
from initaudit.analyzer.file.reading import Search
from initaudit.analyzer.frameworks import RESETS
from initaudit.analyzer.programs.lookups import MAX_FILES, importing
from initaudit.analyzer.programs.methods import is_of_one_family
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.source.snippets import SnippetError, nodes, parsed, root
from initaudit.analyzer.syntax.iteration import element_name, iterated
from initaudit.analyzer.syntax.scopes import scopes_holding

SIBLINGS = 3
ROWS = 4
"""Rows of a call that is commented out, before and behind the name of what it calls."""
REMEMBERED = 4096
"""Answers about a file and a name."""


def _used(statement: ast.stmt) -> Iterator[ast.expr]:
    """What a statement calls, and what it gives to a call."""
    for node in nodes(statement):
        if isinstance(node, ast.Call):
            yield from (node.func, *node.args, *(each.value for each in node.keywords))


class Calls:
    """Who uses a function of some name, in the repository of a file."""

    def __init__(self, project: Project, module: Module, name: str) -> None:
        self.project = project
        self.module = module
        self.name = name
        self.siblings: list[str] = []

    def anywhere(self, cls: Defined | None, *, listed: bool = True) -> bool:
        """Whether something may call it: on any object but another class's own, or by its name as a text.

        A name that ``__all__`` lists counts too, unless nobody else has the project.
        """
        folder = self.project.work_folder(self.module)
        found = self.project.find(Search(folder, word=self.name.encode()))
        if len(found) > MAX_FILES:
            return True
        for filename in dict.fromkeys((self.module.filename, *found)):
            other = self.project.load(filename)
            if other is not None and (self._is_commented_out(other, cls) or self._in(other, cls, listed=listed)):
                return True
        return False

    def _is_commented_out(self, module: Module, cls: Defined | None) -> bool:
        """Whether code in a comment calls it, but not that of another class: its author has chosen not to."""
        uses = _uses_in_comments(module, self.name)
        return bool(uses.kinds) or (bool(uses.owners) if cls is None else self._is_related(module, uses, cls))

    @functools.cached_property
    def importing(self) -> set[Module]:
        """The file of the class, and the files that import it; found once for all of its functions."""
        known, key = self.module.memory, (f"{__name__} importing", 0)
        if key not in known:
            known[key] = importing(self.project, self.module)
        found: set[Module] = known[key]
        return found

    def _in(self, module: Module, cls: Defined | None, *, listed: bool) -> bool:
        """Whether a file may call it. A helper that resets whatever it is given needs to know nothing of the class."""
        uses = uses_of(module, self.name)
        if uses is None:
            return True
        if cls is None:  # a function that is imported is given away, in ``__all__`` or to those who import it
            kinds = uses.kinds - ({"listed"} if not listed else set())
            if module is self.module or module not in self.importing:
                kinds -= {"object", "each"}  # an attribute of this name is another function
            if self._has_another(module):
                return bool(kinds - {"name"} or uses.owners)
            imported = module is not self.module and self.name in module.outline.imports
            return bool(kinds or uses.owners) or imported
        if "each" in uses.kinds or (self.name in RESETS and not uses.kinds.isdisjoint(("text", "object"))):
            return True
        if (uses.kinds - {"name"} and module in self.importing) or self._is_related(module, uses, cls):
            return True
        if "object" in uses.kinds and is_of_one_family(self.project, cls, self.name):
            return True
        found = ((each, module.outline.members.get(each)) for each in uses.siblings)
        self.siblings += [each for each, own in found if own and self.project.is_module_class(Defined(module, own))]
        return False

    def _has_another(self, module: Module) -> bool:
        """Whether the name means a function or class of a third file in another one."""
        found = self.project.resolve(module, self.name) if module is not self.module else None
        return isinstance(found, Defined) and found.module is not self.module

    def _is_related(self, module: Module, uses: _Uses, cls: Defined) -> bool:
        """Whether a class that uses the name on its own object is the class, a base of it or derived from it."""
        if not uses.owners:
            return False
        near = (*(self.project.mro(cls) or ()), *self.project.descendants(cls, module))
        return self._has_unknown(module, uses) or any(
            isinstance(each, Defined) and each.module is module and each.definition.row in uses.owners for each in near
        )

    def _has_unknown(self, module: Module, uses: _Uses) -> bool:
        """Whether nobody knows what one of these classes derives from; found out once for all methods of a file."""
        known, key = self.module.memory, (f"{__name__} {self.name} {module.filename}", 0)
        if key not in known:
            known[key] = any(self.project.mro(Defined(module, owner)) is None for owner in uses.owners.values())
        return bool(known[key])


class _Uses(NamedTuple):
    """How a file uses a name.

    ``kinds`` are "text", "name", "listed" in ``__all__``, "object" for the attribute of some object, and "each" for a
    call on each module of some model, which may hold objects of any class. ``owners`` are the classes, by their rows,
    that use it on their own object or their "parent", and ``siblings`` the names of those that have it and use it on
    their own.
    """

    kinds: set[str]
    owners: dict[int, Definition]
    siblings: tuple[str, ...]


_USES: weakref.WeakKeyDictionary[Module, dict[str, _Uses | None]] = weakref.WeakKeyDictionary()
"""The uses of names in files: the methods that are asked for are called alike in many classes."""


def uses_of(module: Module, name: str) -> _Uses | None:
    """The uses of a name in a file; None when a part of the file that holds it does not parse."""
    known = _USES.setdefault(module, {})
    if name not in known:
        known[name] = _found_uses(module, name)
    return known[name]


def _found_uses(module: Module, name: str) -> _Uses | None:
    kinds, owners, siblings = set[str](), dict[int, Definition](), dict[str, None]()
    for scope in scopes_holding(module, ((name,),)):
        snippet = module.snippet(scope.start, scope.end)
        if snippet is None:
            return None
        owner = scope.definition.owner if scope.definition is not None else None
        listed = {id(node) for each in snippet.body if _lists_names(each) for node in nodes(each)}
        kinds |= {"listed"} if any(id(node) in listed and _kind(node, name) for node in snippet.nodes) else set()
        for kind in filter(None, (_kind(node, name) for node in snippet.nodes if id(node) not in listed)):
            if owner is None or kind not in ("own", "parent"):
                kinds.add(kind)
                continue
            owners[owner.row] = owner
            if kind == "own" and name in owner.members:
                siblings[owner.name] = None
    return _Uses(kinds, owners, tuple(siblings)[:SIBLINGS])


@functools.lru_cache(maxsize=REMEMBERED)
def _uses_in_comments(module: Module, name: str) -> _Uses:
    """How code in comments calls a function, or hands it on. Prose is no code."""
    kinds, owners = set[str](), dict[int, Definition]()
    for row, statement in _code_in_comments(module, name):
        owner = _class_around(module, row)
        for kind in filter(None, (_kind(each, name) for each in _used(statement))):
            if owner is not None and kind in ("own", "parent"):
                owners[owner.row] = owner
            else:
                kinds.add(kind)
    return _Uses(kinds, owners, ())


def _code_in_comments(module: Module, name: str) -> Iterator[tuple[int, ast.stmt]]:
    """The statements that successive comments spell, of those around a name, with its rows."""
    rows = module.comment_rows if name in module.text else []
    texts = [module.lines[row - 1].lstrip().removeprefix("#") for row in rows]
    for index, text in enumerate(texts):
        if name not in text:
            continue
        for start in range(index, max(index - ROWS, -1), -1):
            for end in range(index + 1, min(index + 1 + ROWS, len(texts) + 1)):
                with contextlib.suppress(SnippetError):
                    yield from ((rows[index], each) for each in parsed(textwrap.dedent("\n".join(texts[start:end]))))


def _class_around(module: Module, row: int) -> Definition | None:
    """The class that a comment stands in, or behind whose last line it goes on."""
    indent = len(module.lines[row - 1]) - len(module.lines[row - 1].lstrip())
    before = (each for each in reversed(module.outline.definitions) if each.start < row and each.indent < indent)
    around = module.outline.at(row) or next(before, None)
    while around is not None and not around.is_class:
        around = around.parent
    return around


def _lists_names(statement: ast.stmt) -> bool:
    """Whether a statement says what a file gives to those who import it."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return any(isinstance(each, ast.Name) and each.id == "__all__" for each in targets)


def _kind(node: ast.AST, name: str) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return "text" if text == name else None
        case ast.Name(id=used, ctx=ast.Load()):
            return "name" if used == name else None
        case ast.For():
            return "each" if _calls_on_each(node, name) else None
        case ast.Attribute(attr=used, value=owner) if used == name:
            if isinstance(owner, ast.Name) and owner.id in ("self", "cls"):
                return "own"
            parent = isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "super"
            return "parent" if parent else "object"
    return None


def _calls_on_each(loop: ast.For, name: str) -> bool:
    """Whether a loop goes over the modules of a model that is not its own, and names a method of each."""
    walked = iterated(loop)
    begin = root(walked[0], calls=True) if walked is not None else None
    if walked is None or (begin is not None and begin.id == "self"):
        return False
    element = element_name(loop, walked[1])
    return element is not None and any(
        isinstance(node, ast.Attribute)
        and node.attr == name
        and isinstance(node.value, ast.Name)
        and node.value.id == element
        for node in nodes(loop)
    )
