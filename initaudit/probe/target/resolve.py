"""Resolve a target to the class or factory that builds the model. Runs in the child process."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from initaudit.finding import Place
from initaudit.probe.blame import crossing
from initaudit.probe.files import displayed
from initaudit.probe.record.declarations import users_class, wrapped
from initaudit.probe.request import Target, TargetError
from initaudit.probe.target.changes import change
from initaudit.probe.target.feeding import feed
from initaudit.probe.target.libraries import LIBRARIES, meant
from initaudit.probe.words import describe, through


class Resolved:
    """What a specification leads to: an instance, or something that builds one when called."""

    def __init__(self, target: Target, attribute: Any) -> None:
        self.target = target
        self.attribute = attribute

    @property
    def is_instance(self) -> bool:
        return isinstance(self.attribute, torch.nn.Module)

    @crossing
    def build(self) -> torch.nn.Module:
        """A new model, on the device that was asked for as far as the constructor leaves that open."""
        device = torch.device(self.target.device) if self.target.device != "cpu" else contextlib.nullcontext()
        with _defaults_kept(), device:
            model = self.attribute(**self.arguments())
        if not isinstance(model, torch.nn.Module):
            raise TargetError(f"it returned {type(model).__name__}, not a torch.nn.Module")
        if not hasattr(model, "_parameters"):
            raise TargetError(f"`{type(model).__name__}.__init__` does not call `super().__init__()`")
        if self.target.changes:
            change(model, self.target.changes)
        return model

    def arguments(self) -> dict[str, Any]:
        """Return what the constructor is called with; configurations are made anew for each build."""
        return feed(self.attribute).given | self.target.kwargs if self.target.fed else self.target.kwargs

    def missing(self) -> tuple[str, ...]:
        """The arguments that it cannot do without and is not given, by name."""
        try:
            parameters = inspect.signature(self.attribute).parameters
        except (TypeError, ValueError):  # a builtin
            return ()
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        needed = (one.name for one in parameters.values() if one.kind in named and one.default is one.empty)
        return tuple(name for name in needed if name not in self.target.kwargs)

    def place(self) -> Place:
        """Where it is defined."""
        defined: Callable[..., Any] | type = self.attribute
        if self.is_instance:
            defined = users_class(type(wrapped(self.attribute)))
        try:
            filename = inspect.getsourcefile(inspect.unwrap(defined)) or ""
            _, row = inspect.getsourcelines(inspect.unwrap(defined))
        except (OSError, TypeError):  # a partial, a builtin: the specification is all there is
            filename, row = self.target.parts()[0], 1
        return Place(displayed(filename), row, 1, row, 2)


@contextlib.contextmanager
def _defaults_kept() -> Iterator[None]:
    """What a constructor sets for all tensors to come holds for its own model, and not for the next."""
    dtype, device, gradients = torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled()
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(gradients)
        if torch.get_default_device() != device:
            torch.set_default_device(device if device.type != "cpu" else None)


def resolve(target: Target) -> Resolved:
    """Import what a specification names. Raises TargetError, saying what is wrong and where."""
    name, path = target.parts()
    if name in LIBRARIES:
        return Resolved(target, LIBRARIES[name](path))
    attribute = find(name, path)
    if not callable(attribute):
        raise TargetError(f"{path} is neither a class, a function nor a module instance")
    return Resolved(target, attribute)


def find(name: str, path: str) -> Any:
    """The attribute of a module, or of a file. Raises TargetError, saying what is missing."""
    attribute: Any = imported(name)
    for part in path.split("."):
        if not hasattr(attribute, part):
            raise TargetError(f"{name} has no attribute {part!r}{meant(part, dir(attribute))}")
        attribute = getattr(attribute, part)
    return attribute


def imported(name: str) -> ModuleType:
    """Import a module, by its name or its file. Raises TargetError, saying what it raised."""
    sys.path[:0] = import_roots(Path.cwd())
    file: Path | None = None
    if name.endswith(".ipynb"):
        raise TargetError(
            f"{name} is a notebook, which the probe cannot import: move the class to a .py file, "
            "or call `initaudit.audit` in a cell of the notebook"
        )
    if name.endswith(".py"):
        file = Path(name).resolve()
        if not file.is_file():
            raise TargetError(f"there is no file {name}")
        root, name = module_name(file)
    try:
        module = importlib.import_module(name) if file is None else _within(root, name, file)
    except BaseException as error:  # whatever the user's module raises, SystemExit too
        raise TargetError(f"importing {name} raised {describe(error)}{through(error)}") from error
    if file is not None and Path(module.__file__ or "").resolve() != file:
        raise TargetError(
            f"the name {name} belongs to another module ({module.__file__ or 'built in'}); rename the file"
        )
    return module


def import_roots(folder: Path) -> list[str]:
    """Return where the modules of a project are: its folder, and its ``src`` if that is no package itself."""
    source = folder / "src"
    below = [str(source)] if source.is_dir() and not (source / "__init__.py").is_file() else []
    return [str(folder), *below]


def _within(root: Path, name: str, file: Path) -> ModuleType:
    """Import a file from a root, or from a folder above if its relative imports reach beyond the packages around it."""
    sys.path.insert(0, str(root))
    try:
        return _load(name, file) if "." in file.stem else importlib.import_module(name)
    except ImportError as error:
        if "attempted relative import" not in str(error) or Path.cwd() not in root.parents:
            raise
    sys.path.remove(str(root))
    return _within(root.parent, f"{root.name}.{name}", file)


def _load(name: str, file: Path) -> ModuleType:
    """Import a file whose own name has dots, which no import can name."""
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {file}")
    if "." in name:
        importlib.import_module(name.rpartition(".")[0])
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def module_name(file: Path) -> tuple[Path, str]:
    """The import root and dotted name of a file: up through the folders that are packages."""
    parts = [] if file.stem == "__init__" else [file.stem.replace(".", "_")]
    folder = file.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)
