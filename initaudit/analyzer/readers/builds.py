"""Where a project makes objects of a class, and whether it loads a checkpoint into them at once."""

from __future__ import annotations

import ast
import functools
import os
from collections.abc import Collection, Iterator, Sequence

from initaudit.analyzer.matches import groups
from initaudit.analyzer.module import Module
from initaudit.analyzer.programs.graph import Scope, around
from initaudit.analyzer.project import Defined, Project
from initaudit.analyzer.reading import Search
from initaudit.analyzer.snippets import dotted, nodes, root
from initaudit.analyzer.syntax.iteration import last_name
from initaudit.analyzer.syntax.loads import replaces_all
from initaudit.analyzer.syntax.scopes import scopes_holding

MAX_FILES = 200
"""Files that import that of a class, and files that hold the name of a method; what stands in more is not followed."""
BY_TEXT = groups("getattr( eval( globals( locals( import_module( getmembers( __subclasses__ __dict__ vars(")
FINDS = {"eval", "globals", "locals", "vars", "import_module", "getmembers", "__subclasses__"}
"""What finds a class or a function by a text, or among all."""


def importing(project: Project, module: Module) -> set[Module]:
    """Return a file and the files that import it, also by way of others."""
    folder = project.work_folder(module)
    found, level = {module}, [module]
    while level and len(found) < MAX_FILES:
        inner = level.pop()
        word = inner.name.removesuffix(".__init__").rpartition(".")[2]
        given = tuple(map(os.fsencode, (word, *inner.outline.members, *inner.outline.globals)))
        for filename in project.find(Search(folder, imported=given)):
            other = project.load(filename)
            if other is None or other in found:
                continue
            if any(
                name.rpartition(".")[2] == word and project.module(name, other) is inner for name in _imports(other)
            ):
                found.add(other)
                level.append(other)
    return found


def finds_by_text(module: Module) -> bool:
    """Whether a file may find a class or a function by a text, or all: ``getattr(nets, name)``, ``vars(nets)``."""
    for scope in scopes_holding(module, BY_TEXT):
        snippet = module.snippet(scope.start, scope.end)
        for node in snippet.nodes if snippet is not None else ():
            match node:
                case ast.Call(func=ast.Name(id="getattr"), args=[owner, name, *_]):
                    begin = root(owner, calls=True)
                    if begin is None or (begin.id in module.outline.imports and not isinstance(name, ast.Constant)):
                        return True
                case ast.Call(func=function) if last_name(function) in FINDS:
                    return True
                case ast.Subscript(value=ast.Attribute(attr="__dict__"), ctx=ast.Load()):
                    return True
                case _:
                    pass
    return False


@functools.lru_cache(maxsize=4096)
def _imports(module: Module) -> frozenset[str]:
    """The modules that a file imports, or imports something from; of a relative name, what it stands for."""
    names = [module.absolute(name) for name in (*module.outline.imports.values(), *module.outline.star_imports)]
    return frozenset(names).union(name.rpartition(".")[0] for name in names)


def is_built(project: Project, cls: Defined, files: set[Module] | None = None) -> bool:
    """Whether the project makes an object of a class, outside of that class."""
    return any(True for module in files or importing(project, cls.module) for _ in _builds(module, cls))


def is_always_loaded(project: Project, cls: Defined) -> bool:
    """Whether every model with the class that the project makes gets a checkpoint before anything else has it.

    What such a model draws is replaced. False where the project makes none, and where it is not known what makes one.
    """
    surrounding = around(project, cls)
    open_to = {Scope(cls.module, cls.definition)}
    """What gives an object that is not loaded yet to the code that names it."""
    closed, named = False, set[Scope]()
    for scope in surrounding.scopes:
        inner = surrounding.through[scope] & open_to
        if scope.is_test or not inner:
            continue
        if _loads_all(scope, {each.definition.name for each in inner if each.definition is not None}):
            closed = True
        elif scope.definition is None:
            return False
        else:
            open_to.add(scope)
        named |= inner
    makers = {each for each in open_to if each.defined is not None and not project.is_module_class(each.defined)}
    return closed and makers <= named


def _loads_all(scope: Scope, names: set[str]) -> bool:
    """Whether some code gets objects from classes or functions of these names, and loads a checkpoint into each."""
    definition, module = scope.definition, scope.module
    stretches = [(definition.start, definition.end)] if definition is not None else module.outline.top_level
    body = [each for start, end in stretches if (found := module.snippet(start, end)) for each in found.body]
    builds = [build for name in names for build in _in_block(body, name)]
    return bool(builds) and all(_loads(call, block, module.outline.imports) for call, block in builds)


def _builds(module: Module, cls: Defined) -> Iterator[tuple[ast.Call, Sequence[ast.stmt]]]:
    """The calls of a class in a file, each with the statements from its own on, in the same block."""
    name = cls.definition.name
    found = tuple(scopes_holding(module, ((f"{name}(",),)))
    for scope in found:
        if scope.definition is not None and (snippet := module.snippet(scope.start, scope.end)) is not None:
            yield from _in_block(snippet.body, name)
    if any(scope.definition is None for scope in found):
        top_level = (module.snippet(*stretch) for stretch in module.outline.top_level)
        yield from _in_block([statement for each in top_level if each is not None for statement in each.body], name)


def _in_block(block: Sequence[ast.stmt], name: str) -> Iterator[tuple[ast.Call, Sequence[ast.stmt]]]:
    for index, statement in enumerate(block):
        inner = [
            part
            for node in (statement, *getattr(statement, "handlers", ()), *getattr(statement, "cases", ()))
            for field in ("body", "orelse", "finalbody")
            if isinstance(part := getattr(node, field, None), list)
        ]
        for part in inner:
            yield from _in_block(part, name)
        below = {id(node) for part in inner for each in part for node in nodes(each)}
        for node in nodes(statement):
            if isinstance(node, ast.Call) and last_name(node.func) == name and id(node) not in below:
                yield node, block[index:]


def _loads(call: ast.Call, block: Sequence[ast.stmt], imported: Collection[str]) -> bool:
    """Whether a block names what a call makes, and loads a whole checkpoint into it before handing it on or looping."""
    match block[0]:
        case ast.Assign(targets=[target], value=value) if any(node is call for node in nodes(value)):
            variable = dotted(target)
        case _:
            return False
    for index, statement in enumerate(block[1:], 1):
        owners = {id(node.value) for node in nodes(statement) if isinstance(node, ast.Attribute)}
        uses = [
            node
            for node in nodes(statement)
            if isinstance(node, ast.Name | ast.Attribute) and variable and dotted(node) == variable
        ]
        match statement:
            case ast.Expr(ast.Call(func=ast.Attribute(value=owner, attr="load_state_dict")) as load):
                if variable and dotted(owner) == variable:
                    return replaces_all(load, block[1:index], imported)
        if any(id(use) not in owners for use in uses) or (uses and isinstance(statement, ast.For | ast.While)):
            return False
    return False
