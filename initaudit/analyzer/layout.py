"""Where a project's files lie: packages, their import roots, every Python file below a folder. Opens no file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

NOT_SOURCE = {"__pycache__", "node_modules", "site-packages", "build", "dist"}


def module_name(path: Path) -> tuple[Path, str, bool]:
    """The import root of a file, its dotted name below it, and whether it is a package."""
    path = path.absolute()
    root = Path(import_root(str(path.parent)))
    parts = list(path.relative_to(root).with_suffix("").parts)
    is_package = parts[-1] == "__init__"
    if is_package:
        parts.pop()
    return root, ".".join(parts) or path.parent.name, is_package


def import_root(folder: str, known: dict[str, str] | None = None) -> str:
    """The folder above the outermost package that holds an absolute ``folder``; ``known`` remembers answers."""
    known = {} if known is None else known
    if folder not in known:
        above = os.path.dirname(folder)  # noqa: PTH120 (called for every folder of a run)
        holds_package = above != folder and os.path.isfile(f"{folder}{os.sep}__init__.py")  # noqa: PTH113
        known[folder] = import_root(above, known) if holds_package else folder
    return known[folder]


def import_roots(filenames: Iterable[str]) -> tuple[Path, ...]:
    """The import roots of files, each once."""
    here, known = f"{Path.cwd()}{os.sep}", dict[str, str]()
    folders = dict.fromkeys(name.rpartition(os.sep)[0] for name in filenames)
    absolute = (os.path.normpath(folder if folder.startswith(os.sep) else here + folder) for folder in folders)
    return tuple(Path(root) for root in dict.fromkeys(import_root(folder, known) for folder in absolute))


def project_folder(filename: str) -> str:
    """The outermost package folder of a file, or the folder it lies in."""
    folder = Path(filename).absolute().parent
    while (folder.parent / "__init__.py").is_file():
        folder = folder.parent
    return str(folder)


def python_files(folder: str) -> Iterator[os.DirEntry[str]]:
    """Every Python file below a folder, environments and caches left out, sorted within each folder."""
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError:
        return
    if any(entry.name == "pyvenv.cfg" for entry in entries):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if not entry.name.startswith(".") and entry.name not in NOT_SOURCE:
                yield from python_files(entry.path)
        elif entry.name.endswith(".py"):
            yield entry
