"""Whether a file is part of a program, or made for others to import."""

from __future__ import annotations

import ast
import contextlib
import os
import re
from pathlib import Path

from initaudit.analyzer.module import Module
from initaudit.analyzer.programs.graph import Scope
from initaudit.analyzer.project import Project
from initaudit.analyzer.readers.builds import importing
from initaudit.analyzer.reading import Search
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.scopes import scopes
from initaudit.analyzer.usage import usage

MAX_PROGRAMS = 40
"""Files of a project that import something of a package, of which is asked whether they run by themselves."""
DISTRIBUTED = {
    "setup.cfg": re.compile(r"^\[metadata\]", re.MULTILINE),
    "pyproject.toml": re.compile(r"^\s*\[\s*(?:project|tool\s*\.\s*poetry)\s*\]", re.MULTILINE),
}
"""Files, beside ``setup.py``, of a project that is made for others to install, and the table that stands in them."""


def is_of_an_application(project: Project, module: Module, *, outside: bool = False) -> bool:
    """Whether a program of the project uses a file, and nothing says that the project is made for others to install.

    Where that is asked for, any program ``outside`` of the package of the file counts that imports something of the
    package, or modules by their names as texts, and none in it: packages have some for their own tests.
    """
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
    if outside:
        package, dot, _ = module.name.partition(".")
        searches = [Search(folder, word=b"import_module")]
        searches += [Search(folder, imported=(os.fsencode(package),))] if dot else []
        for search in searches:
            near = map(project.load, project.find(search)[:MAX_PROGRAMS])
            users.update(each for each in near if each is not None and each is not module)
        others = {each for each in users if not dot or each.name.partition(".")[0] != package}
        return any(is_run(project, each) for each in others)
    return any(is_run(project, each) for each in users)


def is_notebook(module: Module) -> bool:
    """Whether a file is a notebook or a document, which nothing imports."""
    return module.filename.endswith((".ipynb", ".md"))


def is_library(project: Project, module: Module) -> bool:
    """Whether a file only defines classes and functions: it neither runs anything at the top level, nor as a script."""
    return not is_notebook(module) and any(True for _ in module.outline.classes()) and not is_program(project, module)


def is_run(project: Project, module: Module) -> bool:
    """Whether a user runs a file: a notebook, a program, or a script of calls, but no test and no package."""
    if module.is_package or Scope(module, None).is_test:
        return False
    return is_notebook(module) or is_program(project, module) or _is_script(module)


def _is_script(module: Module) -> bool:
    """Whether a file without classes calls something at its top level."""
    snippets = (module.quiet_snippet(start, end) for start, end in module.outline.top_level)
    body = [statement for snippet in snippets if snippet is not None for statement in snippet.body]
    calls = any(isinstance(each, ast.Expr | ast.Assign) and isinstance(each.value, ast.Call) for each in body)
    return calls and not any(True for _ in module.outline.classes())


def is_program(project: Project, module: Module) -> bool:
    """Whether a file runs by itself: its top-level code does more than define things."""
    for scope in scopes(module):
        snippet = module.snippet(scope.start, scope.end) if scope.definition is None else None
        if snippet is not None and any(_runs(Context(project, module, None, snippet), each) for each in snippet.body):
            return True
    return False


def _runs(context: Context, statement: ast.stmt) -> bool:
    """Whether a statement of the top level builds a model, or does other work of a script."""
    match statement:
        case ast.For() | ast.While() | ast.With():
            return True
        case ast.If(test=test):
            return "__main__" in usage([test]).texts
        case ast.Assign(value=ast.Call() as call):
            return context.is_module_class(call.func)
        case ast.Expr(value=ast.Call(func=ast.Name(id=name))):
            return name in ("print", "main") or name in context.module.outline.members
    return False
