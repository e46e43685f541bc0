"""The files that define a module class, and the files that are no tests, found without importing them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from initaudit.analyzer.file.collected import is_test
from initaudit.analyzer.file.layout import import_roots, installed_packages
from initaudit.analyzer.project.names import Defined, Project
from initaudit.sources.files import code_bytes


def files_with_models(filenames: Sequence[str], *, site_packages: bool) -> Iterator[str]:
    """Yield the files with a class at their top level that is known to derive from ``torch.nn.Module``."""
    installed = installed_packages() if site_packages else ()
    project = Project(import_roots(filenames), filenames, (), installed)
    for filename in filenames:
        raw = code_bytes(filename) if Path(filename).suffix == ".py" else None
        if raw is None or b"class" not in raw:
            continue
        module = project.load(filename)
        if module is not None and any(
            definition.is_class and project.is_module_class(Defined(module, definition))
            for definition in module.outline.members.values()
        ):
            yield filename


def outside_tests(filenames: Sequence[str]) -> list[str]:
    """Return the files that are not part of tests."""
    project = Project(import_roots(filenames), filenames, (), ())
    loaded = ((filename, project.load(filename)) for filename in filenames)
    return [filename for filename, module in loaded if module is None or not is_test(module)]
