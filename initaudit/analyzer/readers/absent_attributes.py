"""Initialization of attributes that no code of the project gives the object."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator, Sequence

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.reading import Search
from initaudit.analyzer.file.usage import HOLDS, OBJECT, WALKS
from initaudit.analyzer.project.names import Defined, External, Project
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meaning import Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.walks import written
from initaudit.subjects.initializers import AbsentAttribute

BASES = {"torch.nn.Module", "object"}
OF_EVERY_MODULE = {
    "training", "apply", "_apply", "load_state_dict", "get_parameter",
    *torch_api.HARMLESS_MODULE_METHODS, *WALKS, *HOLDS,
}  # fmt: skip
OF_UTILITIES = re.compile(r"_(?:g|v|u|orig|mask|prune)$|^parametrizations$")
"""Attributes that torch's normalizations of weights, its pruning and its parametrizations give a module."""
DYNAMIC = {"__dict__", "vars", "locals", "exec", "__getattr__", "__getattribute__"}
"""What gives an object attributes, or answers for them, without their names."""
NAMED_SO = re.compile(r"init|reset_param")
"""What stands in the name of a method whose call alone says that it initializes."""


@reads(AbsentAttribute, scope=Context, words="_( .data= apply( init*( reset_param*(", nearby="Module")
def absent_attributes(context: Context) -> Iterator[AbsentAttribute]:
    """``module.positions.data.zero_()`` where the class of the module has no ``positions``."""
    meanings = Meanings(context)
    for step in meanings.steps():
        for node in _named(context, step) if not step.guarded else ():
            cls = _class_of(context, meanings, step, node.value)
            if cls is not None and _is_absent(context.project, cls, node.attr):
                yield AbsentAttribute(
                    place=context.snippet.place(node),
                    target=context.snippet.source(node),
                    model=cls.definition.name,
                    attribute=node.attr,
                    function=context.definition.row if context.definition is not None else 0,
                    close=tuple(difflib.get_close_matches(node.attr, sorted(_attributes(context.project, cls)), n=1)),
                )
                break


def _named(context: Context, step: Step) -> Iterator[ast.Attribute]:
    """The attributes through which a statement gets at what it initializes, the first in its source first."""
    match step.statement:
        case ast.Assign(targets=[ast.Attribute(attr="data", value=target)]):
            yield from _chain(target)
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name) as method)) if NAMED_SO.search(name):
            yield from _chain(method)
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="apply"), args=[ast.Attribute() as passed])):
            yield from _chain(passed)
        case _:
            pass
    for call in step.calls():
        if (target_of_call := written(context, call)) is not None:
            yield from _chain(target_of_call)


def _chain(target: ast.expr) -> Iterator[ast.Attribute]:
    """``a.b`` and ``a.b.c`` of ``a.b.c``."""
    match target:
        case ast.Attribute(value=owner):
            yield from _chain(owner)
            yield target
        case ast.Subscript(value=owner):
            yield from _chain(owner)


def _class_of(context: Context, meanings: Meanings, step: Step, owner: ast.expr) -> Defined | None:
    """The class of the project that an object is known to be of."""
    if isinstance(owner, ast.Name) and owner.id == "self":
        return context.cls
    meaning = meanings.meaning(owner, step.names)
    if meaning is None or meaning.what is not What.MODULE or len(meaning.kinds) != 1:
        return None
    found = context.project.absolute(meaning.kinds[0], near=context.module)
    return found if isinstance(found, Defined) and found.definition.is_class else None


def _is_absent(project: Project, cls: Defined, name: str) -> bool:
    """Whether a class that can be read, and runs as it is, surely has no attribute of a name."""
    if name in OF_EVERY_MODULE or name.startswith("__") or OF_UTILITIES.search(name):
        return False
    order = project.mro(cls)
    if order is None or not project.is_module_class(cls) or not isinstance(project.method(cls, "forward"), Defined):
        return False
    for base in order:
        if isinstance(base, External):
            if base.name not in BASES:
                return False
            continue
        used = base.module.usage(base.definition)
        if (
            name in base.definition.members
            or next(used.gives(name), None) is not None
            or not used.names.isdisjoint(DYNAMIC)
        ):
            return False
    return not _is_given(project, order, name)


def _is_given(project: Project, order: Sequence[Defined | External], name: str) -> bool:
    """Whether anything in the project of some classes does more with a name than to read it of some object."""
    own = [base.module for base in order if isinstance(base, Defined)]
    folders = dict.fromkeys(project.work_folder(module) for module in own)
    found = [filename for folder in folders for filename in project.find(Search(folder, word=name.encode()))]
    for module in dict.fromkeys((*own, *map(project.load, found))):
        if module is None:
            return True
        for start, end in module.parts_naming(name):
            snippet = module.quiet_snippet(start, end)
            if snippet is None or any(_gives(node, name) for node in snippet.nodes):
                return True
    return False


def _gives(node: ast.AST, name: str) -> bool:
    """Whether a node may define a name, or hand it on as text."""
    match node:
        case ast.Attribute(attr=attr, ctx=use):
            return attr == name and not isinstance(use, ast.Load)
        case ast.Constant(value=str(text)):
            return name in text
        case ast.Name(id=named) | ast.arg(arg=named) | ast.keyword(arg=str(named)):
            return named == name
        case ast.FunctionDef(name=named) | ast.AsyncFunctionDef(name=named) | ast.ClassDef(name=named):
            return named == name
        case ast.alias(name=imported, asname=renamed):
            return name in (renamed, imported.rpartition(".")[2])
    return False


def _attributes(project: Project, cls: Defined) -> set[str]:
    """The attributes and methods that a class gives its objects by name."""
    found: set[str] = set()
    for base in project.mro(cls) or ():
        if isinstance(base, Defined):
            dotted = (each.split(".") for each in base.module.usage(base.definition).stored)
            found |= {name[1] for name in dotted if len(name) == 2 and name[0] == OBJECT}
            found |= {*base.definition.members}
    return found
