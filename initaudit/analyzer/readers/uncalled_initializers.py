"""Methods and functions that initialize a model, and that nothing in the project calls."""

from __future__ import annotations

import ast
import functools
import weakref
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from initaudit.analyzer import torch_api
from initaudit.analyzer.frameworks import CALLED_BY_FRAMEWORK, RESETS
from initaudit.analyzer.module import Module
from initaudit.analyzer.outline import Definition
from initaudit.analyzer.project import Defined, External, Project
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.builds import MAX_FILES, importing, is_built, is_loaded_where_built
from initaudit.analyzer.reading import Search
from initaudit.analyzer.snippets import FunctionNode, nodes, root
from initaudit.analyzer.syntax.context import Context, first_parameter, initializes
from initaudit.analyzer.syntax.iteration import element_name, iterated, last_name
from initaudit.analyzer.syntax.scopes import scopes, scopes_holding
from initaudit.analyzer.syntax.walks import applied
from initaudit.analyzer.usage import usage
from initaudit.finding import Place
from initaudit.subjects.initializers import UncalledInitializer

SIBLINGS = 3
REMEMBERED = 4096
"""Answers about a file and a name."""
SPECIAL = {"forward", "extra_repr", "setup", "configure_model", "configure_optimizers", "build", "create", "make"}


@reads(UncalledInitializer, scope=Context, words="_( apply(", nearby="Module nn")
def uncalled_initializers(context: Context) -> Iterator[UncalledInitializer]:
    """A method of a module class, or a function of a script, that initializes and that nothing calls."""
    function, definition = context.function, context.definition
    if function is None or definition is None or function.decorator_list or not _may_be_forgotten(function.name):
        return
    if not _initializes(context, function):
        return
    project, module = context.project, context.module
    if context.cls is not None:
        if not project.is_module_class(context.cls) or not _is_plain(context, context.cls, function.name):
            return
    elif definition.parent is not None or not _is_program(context):
        return
    calls = _Calls(project, module, function.name)
    if calls.anywhere(context.cls):
        return
    if context.cls is not None:
        if function.name in RESETS and not _is_forgotten_reset(calls, context.cls):
            return
        if not (function.name.startswith("_") or calls.siblings or is_built(project, context.cls, calls.importing)):
            return  # users of a library may call it
        if is_loaded_where_built(project, context.cls, calls.importing):
            return  # what its layers drew is replaced
    yield UncalledInitializer(
        place=_header(context, function),
        name=function.name,
        model=context.cls.qualname if context.cls is not None else None,
        siblings=tuple(dict.fromkeys(calls.siblings))[:SIBLINGS],
    )


def _header(context: Context, function: FunctionNode) -> Place:
    """The place of the line that defines a function."""
    place = context.snippet.place(function)
    header = context.module.lines[place.row - 1]
    return msgspec.structs.replace(place, end_row=place.row, end_column=len(header) + 1)


@reads(UncalledInitializer, scope=Context, words="_( apply(", nearby="Module nn")
def nested_initializers(context: Context) -> Iterator[UncalledInitializer]:
    """Functions inside a method of a module class that initialize what they are given, and that nothing there reads."""
    outer = context.function
    if outer is None or context.cls is None or not context.project.is_module_class(context.cls):
        return
    for node in context.walk():
        match node:
            case ast.FunctionDef(name=name, args=ast.arguments(args=[first, *_]), decorator_list=[]):
                pass
            case _:
                continue
        if node is outer:
            continue
        read = any(isinstance(each, ast.Name) and each.id == name for each in context.walk())
        if not read and not _reads_all(context) and _draws(context, node, first.arg):
            yield UncalledInitializer(place=_header(context, node), name=name, model=context.cls.qualname)


def _reads_all(context: Context) -> bool:
    """Whether some code asks for all of its local names at once."""
    return any(last_name(call.func) == "locals" for call in context.calls())


def _may_be_forgotten(name: str) -> bool:
    """Whether a function of this name is called by name or not at all."""
    return not name.startswith("__") and name not in SPECIAL and not name.startswith("test")


def _is_forgotten_reset(calls: _Calls, cls: Defined) -> bool:
    """Whether a method that torch's own layers have too is called by other classes of the file, and not for this one.

    Who builds the class may call it, and so may a base that has one.
    """
    order = calls.project.mro(cls) or ()
    plain = all(not isinstance(base, External) or base.name in ("torch.nn.Module", "object") for base in order)
    beside = _uses_of(cls.module, calls.name)
    return plain and beside is not None and bool(beside.siblings) and is_built(calls.project, cls, calls.importing)


def _initializes(context: Context, function: FunctionNode) -> bool:
    """Whether a function draws or sets parameters of the object, or of what it is given, and does little else."""
    given = "self" if context.cls is not None else first_parameter(context)
    return given is not None and _draws(context, function, given)


def _draws(context: Context, function: FunctionNode, given: str) -> bool:
    """Whether a function draws or sets parameters of ``given``, and does little else."""
    elements = {given}
    for node in nodes(function):  # what loops over it, or names taken from it, stand for
        if isinstance(node, ast.For) and _root(node.iter) in elements:
            elements |= {each.id for each in nodes(node.target) if isinstance(each, ast.Name)}
    drawn = False
    for node in nodes(function):
        if (
            isinstance(node, ast.Return)
            and node.value is not None
            and not isinstance(node.value, ast.Name | ast.Constant)
        ):
            return False
        if not isinstance(node, ast.Call):
            continue
        canonical = context.canonical(node.func)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "apply" and _root(node.func.value) == given:
            walk = applied(context, node)
            drawn = drawn or (walk is not None and any(map(initializes, walk.body)))
        elif canonical is not None and canonical.startswith(torch_api.INIT) and canonical.endswith("_") and node.args:
            drawn = drawn or _root(node.args[0]) in elements
        elif isinstance(node.func, ast.Attribute) and node.func.attr in torch_api.OVERWRITES - {"copy_", "set_"}:
            target = node.func.value
            drawn = drawn or (_root(target) in elements and _names_parameter(target))
    return drawn


def _names_parameter(node: ast.expr) -> bool:
    """Whether an expression goes by ``weight``, ``bias`` or ``data``, as parameters do, and not by their gradients."""
    names = {inner.attr for inner in nodes(node) if isinstance(inner, ast.Attribute)}
    return not names.isdisjoint(("weight", "bias", "data")) and "grad" not in names


def _root(node: ast.expr) -> str | None:
    """The variable that an expression begins with, or that is given to what it calls."""
    found = root(node, calls=True)
    return found.id if found is not None else None


def _is_plain(context: Context, cls: Defined, name: str) -> bool:
    """Whether the bases of a class are known, and none of them has the method or calls it."""
    order = context.project.mro(cls)
    if order is None:
        return False
    for base in order:
        if isinstance(base, External):
            package = base.name.partition(".")[0]
            if (
                not torch_api.is_torch(base.name)
                and base.name != "object"
                and not base.name.startswith(("typing.", "abc."))
            ):
                return False
            if name in CALLED_BY_FRAMEWORK.get(package, ()):
                return False
        elif base != cls and name in base.definition.members:
            return False
    return True


def _is_program(context: Context) -> bool:
    """Whether a file runs by itself: its top-level code calls more than what defines things."""
    module = context.module
    for scope in scopes(module):
        if scope.definition is not None:
            continue
        snippet = module.snippet(scope.start, scope.end)
        for statement in snippet.body if snippet is not None else ():
            if isinstance(statement, ast.For | ast.While | ast.With):
                return True
            if isinstance(statement, ast.If) and "__main__" in usage([statement.test]).texts:
                return True
            match statement:
                case ast.Expr(value=ast.Call(func=ast.Name(id=name))) if name in module.outline.members:
                    return True
    return False


@functools.lru_cache(maxsize=REMEMBERED)
def _is_commented_out(module: Module, name: str) -> bool:
    """Whether a row that is a comment calls a function, or hands it on: its author has chosen not to."""
    return any(f"{name}(" in row or f"({name})" in row for row in module.comment_rows)


class _Calls:
    """Who uses a function of some name, in the repository of a file."""

    def __init__(self, project: Project, module: Module, name: str) -> None:
        self.project = project
        self.module = module
        self.name = name
        self.siblings: list[str] = []

    def anywhere(self, cls: Defined | None) -> bool:
        """Whether something may call it: on any object but another class's own, or by its name as a text."""
        folder = self.project.work_folder(self.module)
        found = self.project.find(Search(folder, word=self.name.encode()))
        if len(found) > MAX_FILES:
            return True
        for filename in dict.fromkeys((self.module.filename, *found)):
            other = self.project.load(filename)
            if other is not None and (_is_commented_out(other, self.name) or self._in(other, cls)):
                return True
        return False

    @functools.cached_property
    def importing(self) -> set[Module]:
        """The file of the class, and the files that import it; found once for all of its functions."""
        known, key = self.module.memory, (f"{__name__} importing", 0)
        if key not in known:
            known[key] = importing(self.project, self.module)
        found: set[Module] = known[key]
        return found

    def _in(self, module: Module, cls: Defined | None) -> bool:
        """Whether a file may call it. A helper that resets whatever it is given needs to know nothing of the class."""
        uses = _uses_of(module, self.name)
        if uses is None:
            return True
        if cls is None:  # a function that is imported is given away, in ``__all__`` or to those who import it
            imported = module is not self.module and self.name in module.outline.imports
            return bool(uses.kinds or uses.owners) or imported
        if "each" in uses.kinds or (self.name in RESETS and not uses.kinds.isdisjoint(("text", "object"))):
            return True
        if (uses.kinds - {"name"} and module in self.importing) or self._is_related(module, uses, cls):
            return True
        self.siblings += uses.siblings
        return False

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

    ``kinds`` are "text", "name", "object" for the attribute of some object, and "each" for a call on each module of
    some model, which may hold objects of any class. ``owners`` are the classes, by their rows, that use it on their own
    object or their "parent", and ``siblings`` the names of those that have it and use it on their own.
    """

    kinds: set[str]
    owners: dict[int, Definition]
    siblings: tuple[str, ...]


_USES: weakref.WeakKeyDictionary[Module, dict[str, _Uses | None]] = weakref.WeakKeyDictionary()
"""The uses of names in files: the methods that are asked for are called alike in many classes."""


def _uses_of(module: Module, name: str) -> _Uses | None:
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
        for kind in filter(None, (_kind(node, name) for node in snippet.nodes)):
            if owner is None or kind not in ("own", "parent"):
                kinds.add(kind)
                continue
            owners[owner.row] = owner
            if kind == "own" and name in owner.members:
                siblings[owner.name] = None
    return _Uses(kinds, owners, tuple(siblings)[:SIBLINGS])


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
    if walked is None or _root(walked[0]) == "self":
        return False
    element = element_name(loop, walked[1])
    return element is not None and any(
        isinstance(node, ast.Attribute)
        and node.attr == name
        and isinstance(node.value, ast.Name)
        and node.value.id == element
        for node in nodes(loop)
    )
