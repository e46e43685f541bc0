"""Where a project makes objects of a class, and whether it loads a checkpoint into them at once."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence

from initaudit.analyzer.file.module import Module
from initaudit.analyzer.programs.graph import Scope, around
from initaudit.analyzer.programs.lookups import importing
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.readers.applications import is_alone
from initaudit.analyzer.source.snippets import FunctionNode, argument, defaults, dotted, last_name, nodes, parameters
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.loads import replaces_all
from initaudit.analyzer.syntax.reached import number
from initaudit.analyzer.syntax.scopes import scopes_holding
from initaudit.analyzer.syntax.structure import Layer
from initaudit.naming import blocks

MAX_FILES = 200
"""Files that import that of a class, and files that hold the name of a method; what stands in more is not followed."""
MAX_LEVELS = 4
"""Constructors that hand on what they are given, one to the next."""


def is_built(project: Project, cls: Defined, files: set[Module] | None = None) -> bool:
    """Whether the project makes an object of a class, outside of that class."""
    return any(True for module in files or importing(project, cls.module) for _ in _builds(module, cls))


def is_once(context: Context, times: Iterable[ast.expr]) -> bool:
    """Whether an argument of a constructor, one of some expressions, is one or zero wherever the project gives it."""
    cls, function = context.cls, context.function
    if cls is None or function is None or function.name != "__init__":
        return False
    given = {each.arg for each in parameters(function)}
    named = [each.id for each in times if isinstance(each, ast.Name) and each.id in given]
    most = [largest_given(cls, name, context.project) for name in named]
    return any(number is not None and number <= 1 for number in most)


def largest_given(cls: Defined, name: str, project: Project | None = None) -> int | None:
    """The largest number that the calls of a class give for a parameter of its constructor.

    Those in its file, or in all of a project: there, a constructor may hand on what it is given. None where some call
    gives anything else, and where the class is named other than to call it.
    """
    numbers: list[int] = []
    for given in all_given(cls, name) if project is None else all_handed(project, cls, name):
        match given:
            case ast.Constant(value=int(number)):
                numbers.append(number)
            case _:
                return None
    return max(numbers, default=None)


def all_handed(project: Project, called: Defined, name: str, levels: int = MAX_LEVELS) -> list[ast.expr | None]:
    """What each call in a project gives for a parameter, also by constructors that hand on what they are given."""
    found: list[ast.expr | None] = []
    for given, maker in _all_given(called, name, importing(project, called.module)):
        if isinstance(given, ast.Name) and maker is not None and levels and maker != called:
            found += all_handed(project, maker, given.id, levels - 1)
        else:
            found.append(given)
    return found


def all_given(called: Defined, name: str, files: Collection[Module] = ()) -> list[ast.expr | None]:
    """What each call of a class, or of a function, in its file or in some, gives for a parameter, or leaves to be.

    None for a call that does not say, and for what names it other than to call it.
    """
    return [given for given, _ in _all_given(called, name, files)]


def _all_given(
    called: Defined, name: str, files: Collection[Module]
) -> Iterator[tuple[ast.expr | None, Defined | None]]:
    """What each call gives, with the class in whose constructor it stands."""
    definition = called.definition
    found = called.module.function(definition.members.get("__init__", definition))
    known = found[1].args if found is not None else None
    names = [each.arg for each in (*known.posonlyargs, *known.args)][definition.is_class :] if known is not None else []
    if found is None or known is None or name not in names or _binds(found[1], name):
        yield None, None
        return
    at, default = names.index(name), defaults(known).get(name)
    for module in files or [called.module]:
        for call, maker in _named(called, module):
            yield _given(call, name, at, default), maker


def _binds(function: FunctionNode, name: str) -> bool:
    """Whether a function gives another value to one of its parameters."""
    return any(
        isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)
        for node in nodes(function)
    )


def largest_size(layer: Layer, size: ast.expr | None) -> int | None:
    """The largest number that an argument of the call that makes a layer is known to be."""
    context = layer.context
    if size is None or context is None:
        return None
    cls, function = context.cls, context.function
    of_init = cls is not None and function is not None and function.name == "__init__"
    if of_init and isinstance(size, ast.Name) and is_alone(context.project, context.module):
        given = largest_given(cls, size.id) if cls is not None else None
        return number(context, size) if given is None else given
    return number(context, size)


def _named(cls: Defined, module: Module) -> Iterator[tuple[ast.Call | None, Defined | None]]:
    """The calls of a class in a file, outside of the class, and the class in whose constructor each stands.

    None for what names it and is no call.
    """
    name, own = cls.definition.name, cls.definition
    for scope in scopes_holding(module, ((name,),)):
        snippet, around = module.snippet(scope.start, scope.end), scope.definition
        of_init = around is not None and around.name == "__init__" and around.owner is not None
        maker = Defined(module, around.owner) if of_init and around is not None and around.owner is not None else None
        if snippet is None:
            yield None, None
        elif module is not cls.module or not own.start <= scope.start <= own.end:
            calls = {id(node.func): node for node in snippet.nodes if isinstance(node, ast.Call)}
            named = (node for node in snippet.nodes if isinstance(node, ast.expr) and last_name(node) == name)
            yield from ((calls.get(id(node)), maker) for node in named)


def _given(call: ast.Call | None, name: str, at: int, default: ast.expr | None) -> ast.expr | None:
    """What a call gives for a parameter, by its name or in its place, or leaves at its default."""
    if call is None or any(isinstance(each, ast.Starred) for each in call.args):
        return None
    unnamed = None if any(each.arg is None for each in call.keywords) else default
    return argument(call, at, name) or unnamed


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
        inner = list(blocks(statement))
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
