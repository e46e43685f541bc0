"""Calls that seed torch's global generator where a library is imported, or a module is built or run."""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from initaudit.analyzer.programs.graph import Scope
from initaudit.analyzer.project import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.builds import importing
from initaudit.analyzer.reading import Search
from initaudit.analyzer.snippets import FunctionNode, defaults, nodes, parameters
from initaudit.analyzer.syntax.context import Context, own_attribute
from initaudit.analyzer.syntax.scopes import scopes
from initaudit.analyzer.usage import usage
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
DISTRIBUTED = {
    "setup.cfg": re.compile(r"^\[metadata\]", re.MULTILINE),
    "pyproject.toml": re.compile(r"^\s*\[\s*(?:project|tool\s*\.\s*poetry)\s*\]", re.MULTILINE),
}
"""Files, beside ``setup.py``, of a project that is made for others to install, and the table that stands in them."""
IN_METHODS = {"__init__": Runs.IN_CONSTRUCTOR, "forward": Runs.IN_FORWARD}


@reads(GlobalSeed, scope=Context, words="manual_seed( manual_seed_all(", nearby="Module")
def global_seeds(context: Context) -> Iterator[GlobalSeed]:
    """``torch.manual_seed`` at the top level of a library's file, in a constructor or a forward, or what they call."""
    function, cls = context.function, context.cls
    if Scope(context.module, None).is_test:
        return
    if function is not None:
        if cls is None or not context.project.is_module_class(cls):
            return
        running = (name for name in IN_METHODS if name == function.name or _calls(cls, name, function.name))
        run = next(running, None)
        if run is None:
            return
        runs = IN_METHODS[run]
    elif is_library(context):
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
    """Whether a program of the project uses a file, and nothing says that the project is made for others to install."""
    project, module = context.project, context.module
    folder = project.work_folder(module)
    for name, table in DISTRIBUTED.items():
        path = Path(folder, name)
        project.trail.files.add(str(path))
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if table.search(path.read_text(encoding="utf-8")):
                return False
    setup = project.load(str(Path(folder, "setup.py")))
    if setup is not None and any("setup" in used.last_called for used in setup.usages("setup")):
        return False
    users = importing(project, module) - {module}
    return any(not is_library(replace(context, module=each)) for each in users)


def _is_seeded_by_a_program(context: Context) -> bool:
    """Whether a program of the project seeds the generator too."""
    project, module = context.project, context.module
    found = project.find(Search(project.work_folder(module), word=b"manual_seed"))
    programs = (project.load(name) for name in found[:MAX_FILES] if name != module.filename)
    return any(each is not None and not is_library(replace(context, module=each)) for each in programs)


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


def is_library(context: Context) -> bool:
    """Whether a file only defines classes and functions: it neither runs anything at the top level, nor as a script."""
    module = context.module
    if module.filename.endswith((".ipynb", ".md")) or not any(True for _ in module.outline.classes()):
        return False
    for scope in scopes(module):
        if scope.definition is not None:
            continue
        snippet = module.snippet(scope.start, scope.end)
        for statement in snippet.body if snippet is not None else ():
            if isinstance(statement, ast.For | ast.While | ast.With):
                return False
            if isinstance(statement, ast.If) and "__main__" in usage([statement.test]).texts:
                return False
            if _runs(context, statement):
                return False
    return True


def _runs(context: Context, statement: ast.stmt) -> bool:
    """Whether a statement of the top level builds a model, or does other work of a script."""
    match statement:
        case ast.Assign(value=ast.Call() as call):
            return context.is_module_class(call.func)
        case ast.Expr(value=ast.Call() as call):
            return context.canonical(call.func) not in SEEDS and _acts(context, call)
    return False


def _acts(context: Context, call: ast.Call) -> bool:
    """Whether a call at the top level does the work of a script: it prints, plots, or runs a function of the file."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    return name in ("print", "main") or name in context.module.outline.members
