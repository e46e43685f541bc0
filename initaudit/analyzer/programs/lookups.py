"""Code that finds a class by a computed name: in a module, among the names of a file, or in a registry."""

from __future__ import annotations

import ast
import functools
import os
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from initaudit.analyzer.file.collected import is_test
from initaudit.analyzer.file.matches import groups
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Definition
from initaudit.analyzer.file.reading import Search
from initaudit.analyzer.programs.graph import Scope, namers
from initaudit.analyzer.project.names import Defined, External, Project
from initaudit.analyzer.source.snippets import dotted, last_name, root
from initaudit.analyzer.syntax.scopes import scopes_holding
from initaudit.analyzer.torch_api import TORCH, is_torch

MAX_FILES = 200
"""Files that import that of a class; what stands in more is not followed."""
MAX_FINDERS, MAX_LEVELS = 60, 3
"""Functions, and calls of one by another, between what computes a name and what initializes the model."""
FINDING = groups("getattr( eval( get( [")
"""What stands in code that finds a class by a computed name."""
BY_TEXT = groups("getattr( eval( globals( locals( import_module( getmembers( __subclasses__ __dict__ vars(")
FINDS = {"eval", "globals", "locals", "vars", "import_module", "getmembers", "__subclasses__"}
"""What finds a class or a function by a text, or among all."""
IMPORTS = ("import_module", "__import__", "instantiate", "locate", "LightningCLI")
"""What imports a file by a text; hydra, pydoc and Lightning do so with a class and a configuration."""
BUILT_IN = {"eval", "globals", "locals", "vars"}
"""Those of them that are no methods, as ``model.eval()`` is."""


def finders(project: Project, cls: Defined) -> Iterator[Scope]:
    """Yield the code that may make a model of a class whose name it computes: code that something runs, but no test.

    It stands in a file that imports that of the class, or names what does so.
    """
    pending: list[tuple[Scope, int]] = []
    for module in sorted(importing(project, cls.module), key=lambda each: each.filename):
        found = (
            Scope(module, each.definition and each.definition.outermost) for each in scopes_holding(module, FINDING)
        )
        pending += [(scope, 0) for scope in dict.fromkeys(found) if not scope.is_test and _finds(scope)]
    seen = {scope for scope, _ in pending}
    while pending and len(seen) < MAX_FINDERS:
        scope, level = pending.pop(0)
        callers = [each for each, _ in namers(project, scope.defined)] if scope.defined is not None else [None]
        if callers:
            yield scope
        for caller in callers if level < MAX_LEVELS else ():
            if caller is not None and caller not in seen and not caller.is_test:
                seen.add(caller)
                pending.append((caller, level + 1))


def _stretches(scope: Scope) -> Sequence[tuple[int, int]]:
    definition = scope.definition
    return [(definition.start, definition.end)] if definition is not None else scope.module.outline.top_level


@functools.lru_cache(maxsize=4096)
def _finds(scope: Scope) -> bool:
    """Whether code calls what it finds by a computed name."""
    snippets = (scope.module.quiet_snippet(start, end) for start, end in _stretches(scope))
    code = [node for snippet in snippets if snippet is not None for node in snippet.nodes]
    found = {
        target.id
        for node in code
        if isinstance(node, ast.Assign) and _is_lookup(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    called = (node.func for node in code if isinstance(node, ast.Call))
    return any(_is_lookup(each) or (isinstance(each, ast.Name) and each.id in found) for each in called)


def _is_lookup(node: ast.expr) -> bool:
    """Whether an expression finds something by a name that is computed, or in a collection."""
    match node:
        case ast.Call(func=ast.Name(id="getattr"), args=[_, name, *_]):
            return not isinstance(name, ast.Constant)
        case ast.Call(func=ast.Name(id="eval")) | ast.Call(func=ast.Attribute(attr="get")):
            return True
        case ast.Subscript(value=value):
            return not isinstance(value, ast.Call) or last_name(value.func) in FINDS
        case _:
            return False


def importing(project: Project, module: Module, *, perhaps: bool = False) -> set[Module]:
    """Return a file and the files that import it, also by way of others.

    A package whose ``__all__`` is computed, as from the files in its folder, has them imported where a star imports
    from it. With ``perhaps``, a file also counts that imports one of this name from where nothing is found, and for a
    package one that imports anything below it, since Python runs the package first.
    """
    meant = (None,) if perhaps else ()
    folder = project.work_folder(module)
    found, level = {module}, [module]
    while level and len(found) < MAX_FILES:
        inner = level.pop()
        word = inner.name.removesuffix(".__init__").rpartition(".")[2]
        package = project.load(str(Path(inner.filename).parent / "__init__.py"))
        listing = package if package is not None and _lists_files(package) else None
        names = [listing.name.rpartition(".")[2]] if listing is not None else []
        given = tuple(map(os.fsencode, (word, *names, *inner.outline.members, *inner.outline.globals)))
        files = set(project.find(Search(folder, imported=given)))
        if perhaps and inner.is_package:
            files.update(project.find(Search(folder, word=os.fsencode(word))))
        for filename in sorted(files):
            other = project.load(filename)
            if other is None or other in found:
                continue
            if any(
                name.rpartition(".")[2] == word and project.module(name, other) in (inner, *meant)
                for name in (_imports(other) | _packages(other) if perhaps else _imports(other))
            ) or (listing is not None and listing in project.star_sources(other)):
                found.add(other)
                level.append(other)
    return found


@functools.lru_cache(maxsize=4096)
def _packages(module: Module) -> frozenset[str]:
    """The packages around the modules that a file imports."""
    parts = (name.split(".") for name in _imports(module))
    return frozenset(".".join(each[:end]) for each in parts for end in range(1, len(each)))


def _lists_files(package: Module) -> bool:
    """Whether a package computes the names that a star imports from it, and does not only write them down."""
    stretch = package.outline.globals.get("__all__")
    snippet = package.quiet_snippet(*stretch) if stretch is not None else None
    return snippet is not None and any(isinstance(each, ast.Call | ast.comprehension) for each in snippet.nodes)


def derived_elsewhere(project: Project, cls: Defined) -> Module | None:
    """Return a file that derives from a class of this name, and imports it by a path that leads nowhere."""
    name = cls.definition.name
    folder, word = project.work_folder(cls.module), name.encode()
    for filename in project.find(Search(folder, word=word, imported=(word,)))[:MAX_FILES]:
        other = project.load(filename)
        if other is None or other is cls.module or not isinstance(project.resolve(other, name), External):
            continue
        if not is_torch(other.outline.imports.get(name, "torch")) and any(
            _derives(other, each, name) for each in other.naming(name)
        ):
            return other
    return None


def _derives(module: Module, definition: Definition, name: str) -> bool:
    """Whether a definition is that of a class with a base of some name."""
    snippet = module.quiet_snippet(definition.start, definition.end) if definition.is_class else None
    classes = (each for each in (snippet.body if snippet is not None else ()) if isinstance(each, ast.ClassDef))
    return any(dotted(base) == name for each in classes for base in each.bases)


def found_by_text(project: Project, files: Collection[Module], names: Collection[str]) -> bool:
    """Whether some files, of which some import the others, may find what has one of these names by a text, or all."""
    return any(_finds_by_text(project, each, files, names) for each in files)


def _finds_by_text(project: Project, module: Module, files: Collection[Module], names: Collection[str]) -> bool:
    """Whether a file may find a class or a function of some files by a text, or all: ``getattr(nets, name)``."""
    for scope in scopes_holding(module, BY_TEXT):
        snippet = module.snippet(scope.start, scope.end)
        for node in snippet.nodes if snippet is not None else ():
            match node:
                case ast.Call(func=ast.Name(id="getattr"), args=[owner, name, *_]):
                    if _may_lead(project, module, owner, files) and (
                        root(owner, calls=True) is None or not isinstance(name, ast.Constant)
                    ):
                        return True
                case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in BUILT_IN:
                    if dotted(owner) == "builtins":
                        return True
                case ast.Call(func=ast.Name(id="vars"), args=[owner]):
                    if _may_lead(project, module, owner, files):
                        return True
                case ast.Call(func=ast.Name(id=name)) if name in BUILT_IN:
                    if _may_bind(project, module, files, names):
                        return True
                case ast.Call(func=function) if last_name(function) in FINDS:
                    return True
                case ast.Subscript(value=ast.Attribute(value=owner, attr="__dict__"), ctx=ast.Load()):
                    if not isinstance(owner, ast.Name) or _may_hold(project, module, owner.id, files):
                        return True
                case _:
                    pass
    return False


def imported_by_text(project: Project, files: set[Module]) -> bool:
    """Whether code of a project, but no test, may import one of some files by a text: ``import_module(name)``."""
    folders = {project.work_folder(each) for each in files}
    words = map(os.fsencode, IMPORTS)
    found = {name for word in words for folder in folders for name in project.find(Search(folder, word=word))}
    importers = (project.load(name) for name in sorted(found)[:MAX_FILES])
    return any(
        _may_be(project, each, name, files)
        for each in importers
        if each is not None and not is_test(each)
        for name in _imported_texts(each)
    )


def _imported_texts(module: Module) -> Iterator[ast.expr]:
    """Yield the texts by which a file imports others."""
    for scope in scopes_holding(module, (IMPORTS,)):
        snippet = module.quiet_snippet(scope.start, scope.end)
        for node in snippet.nodes if snippet is not None else ():
            if isinstance(node, ast.Call) and last_name(node.func) in IMPORTS:
                yield node.args[0] if node.args else node


def _may_be(project: Project, module: Module, name: ast.expr, files: set[Module]) -> bool:
    """Whether an expression may be the name of one of some files, by what it begins with."""
    match name:
        case ast.Constant(value=str(text)):
            return project.module(module.absolute(text), module) in files
        case ast.BinOp(left=ast.Constant(value=str(text))) | ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            begin = re.split("[%{]", text)[0]
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            begin = text.partition("{")[0]
        case _:
            return True
    path = f"/{begin.replace('.', '/')}"
    return begin.startswith(".") or any(path in Path(each.filename).absolute().as_posix() for each in files)


def _may_lead(project: Project, module: Module, owner: ast.expr, files: Collection[Module]) -> bool:
    """Whether an expression may lead to what some files define: not a variable, such as the arguments of a program."""
    begin = root(owner, calls=True)
    return begin is None or (begin.id in module.outline.imports and _may_hold(project, module, begin.id, files))


def _may_hold(project: Project, module: Module, name: str, files: Collection[Module]) -> bool:
    """Whether a name may be one of some files, or an object that has what they define; no other file, and not torch."""
    full = module.outline.imports.get(name, "")
    found = project.imported(module, full) if full else None
    return found in files if isinstance(found, Module) else full.partition(".")[0] not in TORCH


def _may_bind(project: Project, module: Module, files: Collection[Module], names: Collection[str]) -> bool:
    """Whether a name of a file may lead to what has one of some names in some files: it is that, or a file."""
    outline = module.outline
    if not {*outline.members, *outline.imports}.isdisjoint(names):
        return True
    imported = (project.imported(module, full) for full in outline.imports.values())
    loaded = (project.module(full, module) for full in outline.loaded)
    if any(each in files for found in (imported, loaded) for each in found):
        return True
    stars = project.star_sources(module)
    return any(each in files if isinstance(each, Module) else each.partition(".")[0] not in TORCH for each in stars)


@functools.lru_cache(maxsize=4096)
def _imports(module: Module) -> frozenset[str]:
    """The modules that a file imports, or imports something from; of a relative name, what it stands for."""
    outline = module.outline
    names = [module.absolute(name) for name in (*outline.imports.values(), *outline.loaded, *outline.star_imports)]
    return frozenset(names).union(name.rpartition(".")[0] for name in names)
