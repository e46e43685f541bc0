"""Methods of modules that are written as constructors and have another name: ``__int__``, ``_init_``, ``__init``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import msgspec

from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.reading import Search
from initaudit.analyzer.programs.lookups import MAX_FILES
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.uninitialized_bases import registers
from initaudit.analyzer.source.snippets import FunctionNode
from initaudit.analyzer.syntax.context import Context, own_attribute
from initaudit.analyzer.syntax.scopes import scopes_holding
from initaudit.finding import Place
from initaudit.subjects.registration import MisspeltConstructor

CONSTRUCTOR = "__init__"
_NEAR = re.compile(r"(?=(?:.*_){2})_*[int]{3,5}_*")
"""Names of the letters of ``__init__``, with at least two underscores."""


@reads(MisspeltConstructor, scope=Context, words="self", nearby="Module", named="in ni")
def misspelt_constructors(context: Context) -> Iterator[MisspeltConstructor]:
    """``def __int__(self, d): super().__init__(); self.fc = nn.Linear(d, d)`` in a class without a constructor."""
    function, cls = context.function, context.cls
    if function is None or cls is None or function.decorator_list or not _is_near(function.name):
        return
    if CONSTRUCTOR in cls.definition.members or not context.project.is_module_class(cls):
        return
    if not _is_meant(context, function) or _is_used(context, cls, function.name):
        return
    made = [each for node in context.walk() if (each := _made(context, node)) is not None]
    yield MisspeltConstructor(
        place=_place_of_name(context, function),
        name=function.name,
        model=cls.definition.name,
        made=tuple(dict.fromkeys(made)),
    )


def _is_near(name: str) -> bool:
    return name != CONSTRUCTOR and _NEAR.fullmatch(name) is not None


def _is_meant(context: Context, function: FunctionNode) -> bool:
    """Whether a function calls the constructor of a base, however that is spelt, or gives the object its layers."""
    return any(registers(context, node) or _names_base(context, node, function.name) for node in context.walk())


def _names_base(context: Context, node: ast.AST, name: str) -> bool:
    """Whether something is the constructor of a base: ``super().__init__``, or ``nn.Module.__int__``."""
    match node:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=attribute):
            return attribute in (name, CONSTRUCTOR)
        case ast.Attribute(value=base, attr=attribute):
            return attribute in (name, CONSTRUCTOR) and context.is_module_class(base)
    return False


def _made(context: Context, node: ast.AST) -> str | None:
    """The attribute that a statement makes a layer or a parameter."""
    if isinstance(node, ast.Assign) and registers(context, node):
        return own_attribute(node.targets[0])
    return None


def _is_used(context: Context, cls: Defined, name: str) -> bool:
    """Whether some code of the project calls a method of this name on an object of the class."""
    project = context.project
    elsewhere: tuple[str, ...] = ()
    if not name.startswith("__"):  # Python mangles such names, or calls them itself
        elsewhere = project.find(Search(project.work_folder(context.module), word=name.encode()))
    if len(elsewhere) > MAX_FILES:
        return True
    loaded = [project.load(each) for each in elsewhere if each != context.module.filename]
    return any(_uses(context, module, cls, name) for module in (context.module, *filter(None, loaded)))


def _uses(context: Context, module: Module, cls: Defined, name: str) -> bool:
    for scope in scopes_holding(module, ((name,),)):
        snippet = module.snippet(scope.start, scope.end)
        if snippet is None:
            return True
        inside = Context(context.project, module, scope.definition, snippet)
        other = inside.cls is not None and not _are_related(context.project, inside.cls, cls)
        for node in snippet.nodes:
            match node:
                case ast.Attribute(value=ast.Name(id="self")) if other:
                    continue  # the method of another class
                case ast.Attribute(attr=attribute) if attribute == name and not _names_base(inside, node, name):
                    return True
                case ast.Constant(value=text) if text == name:
                    return True
    return False


def _are_related(project: Project, one: Defined, other: Defined) -> bool:
    """Whether one of two classes derives from the other, as far as their bases are known."""
    order = project.mro(one)
    return order is None or other in order or one in (project.mro(other) or ())


def _place_of_name(context: Context, function: FunctionNode) -> Place:
    """The place of the name in the line that defines a function."""
    place = context.snippet.place(function)
    column = context.module.lines[place.row - 1].find(function.name) + 1
    if not column:
        return place
    return msgspec.structs.replace(place, column=column, end_row=place.row, end_column=column + len(function.name))
