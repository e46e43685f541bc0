"""Whether a file is a test: pytest or unittest would collect something of it, or it lies among tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from initaudit.analyzer.file.layout import REPOSITORY, WORKED_IN, work_folder
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Definition

AMONG_TESTS = re.compile(r"(?:^|/)(?:tests?|testing|unit_tests?)/|(?:^|/)conftest\.py$")
NAMED_SO = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test)\.py$")
"""Files in which pytest looks for tests; scripts that evaluate a model are called so too."""
CASES = re.compile(r"\bclass\s+\w+\s*\([^)]*Test")


def is_test(module: Module) -> bool:
    """Whether only a test runs the code of a file."""
    key = (__name__, 0)
    if key not in module.memory:
        name = _below_the_project(module)
        among = AMONG_TESTS.search(name) is not None
        module.memory[key] = among or (NAMED_SO.search(name) is not None and _holds_tests(module))
    found: bool = module.memory[key]
    return found


def _below_the_project(module: Module) -> str:
    """The path of a file in its repository; what a folder above is called says nothing."""
    own = module.project_folder
    whole = Path(work_folder(module.filename, own))
    if str(whole) == own and not any((whole / sign).exists() for sign in (*REPOSITORY, *WORKED_IN)):
        whole = whole.parent  # nothing says that this folder is the whole project
    return Path(module.filename).absolute().relative_to(whole).as_posix()


def _holds_tests(module: Module) -> bool:
    """Whether a file holds a test function, or a class with tests."""
    return any(
        _is_test_class(module, each) if each.is_class else _is_test_function(module, each)
        for each in module.outline.outermost()
    )


def _is_test_class(module: Module, definition: Definition) -> bool:
    tests = any(name.startswith("test") for name in definition.members)
    return tests and (definition.name.startswith("Test") or CASES.search(module.slice(definition)) is not None)


def _is_test_function(module: Module, definition: Definition) -> bool:
    """Whether a function is called by pytest, and so by nothing of its file that gives it arguments."""
    if not definition.name.startswith("test_"):
        return False
    for start, end in module.parts_naming(definition.name):
        snippet = module.quiet_snippet(start, end)
        for node in snippet.nodes if snippet is not None else ():
            match node:
                case ast.Call(func=ast.Name(id=definition.name), args=args, keywords=keywords) if args or keywords:
                    return False
    return True
