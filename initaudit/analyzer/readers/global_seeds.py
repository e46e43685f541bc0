"""Calls that seed torch's global generator where a library is imported, or a module is built or run."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.file.collected import is_test
from initaudit.analyzer.file.reading import Search
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.readers.applications import is_library, is_of_an_application
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import FunctionNode, defaults, nodes, parameters
from initaudit.analyzer.syntax.context import Context, own_attribute
from initaudit.subjects.initializers import GlobalSeed, Runs

MAX_FILES = 40
SEEDS = {
    "torch.manual_seed",
    "torch.random.manual_seed",
    "torch.cuda.manual_seed",
    "torch.cuda.manual_seed_all",
    "torch.seed",
}
RESTORES = ("fork_rng", "set_rng_state", "get_rng_state", "initial_seed", "get_state", "set_state")
IN_METHODS = {"__init__": Runs.IN_CONSTRUCTOR, "forward": Runs.IN_FORWARD}


@reads(GlobalSeed, scope=Context, words="manual_seed( manual_seed_all(", nearby="Module")
def global_seeds(context: Context) -> Iterator[GlobalSeed]:
    """``torch.manual_seed`` at the top level of a library's file, in a constructor or a forward, or what they call."""
    function, cls = context.function, context.cls
    if is_test(context.module):
        return
    if function is not None and cls is None:
        cls = _built_by(context, function.name)
        runs = Runs.IN_CONSTRUCTOR
        if cls is None:
            return
    elif function is not None:
        if cls is None or not context.project.is_module_class(cls):
            return
        running = (name for name in IN_METHODS if name == function.name or _calls(cls, name, function.name))
        run = next(running, None)
        if run is None:
            return
        runs = IN_METHODS[run]
    elif is_library(context.project, context.module):
        runs = Runs.ON_IMPORT
    else:
        return
    if any(isinstance(node, ast.Attribute) and node.attr in RESTORES for node in context.walk()):
        return
    for statement in function.body if function is not None else context.snippet.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.If):
            continue
        for node in nodes(statement):
            if isinstance(node, ast.Call) and context.canonical(node.func) in SEEDS:
                yield GlobalSeed(
                    place=context.snippet.place(node),
                    call=context.snippet.source(node),
                    runs=runs,
                    model=cls.qualname if cls is not None else None,
                    given=function is not None and _given(node, _asked_for(function)),
                    seeded=_is_seeded_by_a_program(context),
                    application=_is_of_an_application(context),
                )


def _is_of_an_application(context: Context) -> bool:
    """Whether a program uses a file, or others of its package, and nobody installs it."""
    project, module = context.project, context.module
    return is_of_an_application(project, module, by_text=True) or is_of_an_application(project, module, outside=True)


def _built_by(context: Context, name: str) -> Defined | None:
    """A class of modules of the file whose constructor calls a function of the file."""
    for definition in context.module.outline.classes():
        cls, init = Defined(context.module, definition), definition.members.get("__init__")
        if init is not None and name in context.module.usage(init).called and context.project.is_module_class(cls):
            return cls
    return None


def _is_seeded_by_a_program(context: Context) -> bool:
    """Whether a program of the project seeds the generator too, or a function for programs does."""
    project, module = context.project, context.module
    found = project.find(Search(project.work_folder(module), word=b"manual_seed"))
    programs = (project.load(name) for name in found[:MAX_FILES] if name != module.filename)
    others = [each for each in programs if each is not None and not is_test(each)]
    return any(not is_library(project, each) for each in others)


def _calls(cls: Defined, name: str, called: str) -> bool:
    """Whether a method of a class calls another one of its object."""
    definition = cls.definition.members.get(name)
    found = cls.module.function(definition) if definition is not None and not definition.is_class else None
    return found is not None and any(
        isinstance(node, ast.Call) and own_attribute(node.func) == called for node in nodes(found[1])
    )


def _asked_for(function: FunctionNode) -> set[str]:
    """The arguments of a function, without those that have a number of their own."""
    given = defaults(function.args)
    numbered = {name for name, value in given.items() if isinstance(value, ast.Constant) and value.value is not None}
    return {param.arg for param in parameters(function)} - numbered


def _given(call: ast.Call, arguments: set[str]) -> bool:
    """Whether the seed is an argument that a caller chooses."""
    return any(isinstance(node, ast.Name) and node.id in arguments for arg in call.args for node in nodes(arg))
