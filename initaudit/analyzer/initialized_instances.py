"""Which code makes an instance of a module class and initializes it, so that its constructor does not finish it."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from initaudit.observation import InitializingCode, ModuleClass

INITIALIZERS = ("init", "reset_parameters")
"""Parts of the names of functions that initialize what they are given, apart from ``apply``."""
Scope = ast.FunctionDef | ast.AsyncFunctionDef


def initialized(classes: Collection[ModuleClass], filenames: Iterable[str]) -> Iterator[tuple[str, InitializingCode]]:
    """Yield the classes of which some code makes an instance and initializes it, with that code."""
    by_name: dict[str, list[ModuleClass]] = {}
    for one in classes:
        by_name.setdefault(one.target.rpartition(":")[2], []).append(one)
    for filename in filenames:
        tree = _parsed(filename)
        if tree is None:
            continue
        names = _names(tree)
        for function, statements in _scopes(tree):
            for name in _initialized_in(statements, names.keys() & by_name.keys()):
                for cls in by_name[name]:
                    if names[name] is None or cls.target == f"{filename}:{name}":
                        yield cls.identity, InitializingCode(filename, function)


def _parsed(filename: str) -> ast.Module | None:
    try:
        return ast.parse(Path(filename).read_bytes()) if filename.endswith(".py") else None
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None


def _names(tree: ast.Module) -> dict[str, ast.ClassDef | None]:
    """Return the classes that a file defines or may import, by name; None for those that it imports."""
    found: dict[str, ast.ClassDef | None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            found |= {alias.asname or alias.name: None for alias in node.names}
        elif isinstance(node, ast.Attribute):
            found.setdefault(node.attr, None)
    return found | {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _scopes(tree: ast.Module) -> Iterator[tuple[str, Sequence[ast.stmt]]]:
    """Yield the functions of a file with their statements, and the statements of its top level."""
    top: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, Scope):
            yield node.name, node.body
        elif isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, Scope):
                    yield f"{node.name}.{method.name}", method.body
        else:
            top.append(node)
    yield "", top


def _initialized_in(statements: Iterable[ast.stmt], classes: Collection[str]) -> Iterator[str]:
    """Yield the classes of which these statements make an instance and initialize it."""
    nodes = [node for statement in statements for node in ast.walk(statement)]
    made: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign | ast.For):
            source = node.value if isinstance(node, ast.Assign) else node.iter
            named = _named(source)
            meant = {name for name in named if name in classes}.union(*(made.get(name, ()) for name in named))
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}:
                made.setdefault(name, set()).update(meant)
    for node in nodes:
        if isinstance(node, ast.Call):
            for name in _written(node):
                yield from made.get(name, ())


def _named(node: ast.AST) -> set[str]:
    """Return all names and attributes within a node."""
    inside = list(ast.walk(node))
    names = {one.id for one in inside if isinstance(one, ast.Name)}
    return names | {one.attr for one in inside if isinstance(one, ast.Attribute)}


def _written(call: ast.Call) -> set[str]:
    """Return the local names that a call initializes: by a method of it, or as its argument."""
    function = call.func
    words = ast.unparse(function).split(".")
    if words[-1] == "__init__":  # of a base: it makes the object, and comes before what the object holds
        return set()
    says_so = any(word in part for word in INITIALIZERS for part in words)
    given = {one.id for argument in call.args for one in ast.walk(argument) if isinstance(one, ast.Name)}
    if not isinstance(function, ast.Attribute):
        return given if says_so else set()
    receiver = {one.id for one in ast.walk(function.value) if isinstance(one, ast.Name)}
    in_place = function.attr.endswith("_") and not function.attr.startswith(("_", "requires_grad"))
    if says_so:
        return receiver | given
    return receiver if in_place or function.attr == "apply" else set()
