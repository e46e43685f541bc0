"""The module classes of a file, and what their constructors can be given.

Runs in the child process, since it imports the file.
"""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from initaudit.finding import Observer, Place
from initaudit.observation import ModuleClass, Observation
from initaudit.probe.files import displayed
from initaudit.probe.target.feeding import feed


def observe_classes(filename: str, module: ModuleType) -> Observation:
    """Return the module classes that a file defines at its top level."""
    own: dict[str, type[torch.nn.Module]] = {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, torch.nn.Module)
        and value.__module__ == module.__name__
        and value.__qualname__ == name
    }
    tree = ast.parse(Path(filename).read_bytes())
    code = Code(module, tree)
    classes = tuple(_described(filename, code, cls) for cls in own.values() if not inspect.isabstract(cls))
    return Observation(observer=Observer.PROBE, source=filename, classes=classes)


def _described(filename: str, code: Code, cls: type[torch.nn.Module]) -> ModuleClass:
    fed = feed(cls)
    row = inspect.getsourcelines(cls)[1]
    return ModuleClass(
        target=f"{filename}:{cls.__name__}",
        identity=identity(cls),
        place=Place(displayed(filename), row, 1, row, 2),
        missing=fed.missing,
        chosen=fed.chosen,
        parts=code.parts(cls),
    )


def identity(cls: type) -> str:
    """Return the dotted name of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def held_classes(model: torch.nn.Module) -> tuple[str, ...]:
    """Return the classes of all modules of a model and their bases, without torch's own."""
    classes = {base for module in model.modules() for base in type(module).__mro__}
    names = {identity(cls) for cls in classes if issubclass(cls, torch.nn.Module)}
    return tuple(sorted(name for name in names if not name.startswith("torch.")))


class Code:
    """The source of a file, and what its names mean once it is imported."""

    def __init__(self, module: ModuleType, tree: ast.Module) -> None:
        self.module = module
        self.tree = tree

    def parts(self, cls: type) -> tuple[str, ...]:
        """Return the module classes that the body of a class names, without its bases."""
        bodies = [node for node in self.tree.body if isinstance(node, ast.ClassDef) and node.name == cls.__name__]
        named = (self.meaning(node) for body in bodies for one in body.body for node in ast.walk(one))
        found = (one for one in named if inspect.isclass(one) and issubclass(one, torch.nn.Module) and one is not cls)
        return tuple(dict.fromkeys(map(identity, found)))

    def meaning(self, node: ast.AST) -> Any:
        """Return what a name at the top level of the module, or an attribute of such a name, stands for."""
        if isinstance(node, ast.Name):
            return vars(self.module).get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self.meaning(node.value)
            return getattr(owner, node.attr, None) if isinstance(owner, ModuleType) else None
        return None
