"""The layout of a project: packages, their import roots, all Python files below a folder. Opens no file."""

from __future__ import annotations

import os
import stat
import sysconfig
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

NOT_SOURCE = {"__pycache__", "node_modules", "site-packages", "dist-packages", "build", "dist"}
REPOSITORY = (".git", "pyproject.toml", "setup.py")
"""What lies in the folder with which a project begins."""
WORKED_IN = ("setup.cfg", "requirements.txt", "environment.yml", "README.md", "README.rst", "LICENSE", ".gitignore")
"""What lies there in one that was copied without the files of its version control."""
BESIDE = f"{os.sep}*.py"
"""What stands behind a folder for the scripts and notebooks that lie in it."""
INSTALLED = f"{os.sep}*.dist-info"
"""What stands behind a folder for the lists of packages that were installed or unpacked in it."""
MAX_LOOSE = 5
"""How many folders without an ``__init__.py`` may lie within one another in a package."""


def module_name(path: Path, known: dict[str, str] | None = None) -> tuple[Path, str, bool]:
    """The import root of a file, its dotted name below it, and whether it is a package; ``known`` as below."""
    path = path.absolute()
    root = Path(import_root(str(path.parent), known))
    parts = list(path.relative_to(root).with_suffix("").parts)
    is_package = parts[-1] == "__init__"
    if is_package:
        parts.pop()
    return root, ".".join(parts) or path.parent.name, is_package


def import_root(folder: str, known: dict[str, str] | None = None) -> str:
    """The folder above the outermost package that holds an absolute ``folder``; ``known`` remembers answers.

    A folder without an ``__init__.py`` belongs to the package above it, if there is one in the same repository.
    """
    known = {} if known is None else known
    inside: list[str] = []
    while folder not in known:
        above = os.path.dirname(folder)  # noqa: PTH120 (called for every folder of a run)
        if above == folder or not (_is_package(folder) or _lies_in_package(above, folder)):
            known[folder] = folder
        else:
            inside.append(folder)
            folder = above
    known.update(dict.fromkeys(inside, known[folder]))
    return known[folder]


def _is_package(folder: str) -> bool:
    return os.path.isfile(f"{folder}{os.sep}__init__.py")  # noqa: PTH113


def _lies_in_package(above: str, folder: str) -> bool:
    """Whether a folder without an ``__init__.py`` lies in a package all the same."""
    for _ in range(MAX_LOOSE):
        if any(os.path.exists(f"{folder}{os.sep}{name}") for name in REPOSITORY):  # noqa: PTH110
            return False
        if _is_package(above):
            return True
        if above == folder or os.path.basename(above) in NOT_SOURCE:  # noqa: PTH119
            return False
        folder, above = above, os.path.dirname(above)  # noqa: PTH120
    return False


def real_path(filename: str, known: dict[str, str]) -> str:
    """A path without symbolic links; ``known`` remembers those of folders."""
    folder, name = os.path.split(filename)
    if folder not in known:
        known[folder] = os.path.realpath(folder)
    path = os.path.join(known[folder], name)  # noqa: PTH118 (called for every file of a run)
    return os.path.realpath(path) if os.path.islink(path) else path  # noqa: PTH114


def with_other_names(filenames: Sequence[str]) -> list[str]:
    """Return the files that are links, or that other names stand for too: what a name refers to depends on them."""
    folders: dict[str, str] = {}
    names: dict[str, list[str]] = {}
    for filename in filenames:
        names.setdefault(real_path(filename, folders), []).append(filename)
    return [name for same in names.values() for name in same if len(same) > 1 or os.path.islink(name)]  # noqa: PTH114


def import_roots(filenames: Iterable[str]) -> tuple[Path, ...]:
    """The import roots of files, each once."""
    here, known = f"{Path.cwd()}{os.sep}", dict[str, str]()
    folders = dict.fromkeys(name.rpartition(os.sep)[0] for name in filenames)
    absolute = (os.path.normpath(folder if folder.startswith(os.sep) else here + folder) for folder in folders)
    return tuple(Path(root) for root in dict.fromkeys(import_root(folder, known) for folder in absolute))


def packages_around(root: Path, name: str) -> Iterator[Path]:
    """The folders of a name that lie around the files below an import root, the innermost first.

    A package needs no ``__init__.py``: such a folder is one where a file in it imports by this name.
    """
    return (folder for folder in (root, *root.parents) if folder.name == name)


def project_folder(filename: str) -> str:
    """The outermost package folder of a file, or the folder it lies in."""
    folder = Path(filename).absolute().parent
    below = folder.relative_to(import_root(str(folder))).parts
    return str(folder.parents[len(below) - 2]) if len(below) > 1 else str(folder)


def repository_folder(filename: str) -> str:
    """The folder that the project of a file begins with, with its scripts and tests; else the outermost package."""
    package = Path(project_folder(filename))
    for folder in (package, *package.parents[:MAX_LOOSE]):
        if any((folder / name).exists() for name in REPOSITORY):
            return str(folder)
    return str(package)


def signs(folder: str, root: str) -> Iterator[str]:
    """The paths whose existence decides where the package and the repository around an absolute folder begin.

    ``root`` is the import root of the folder.
    """
    beyond = 0
    while beyond <= MAX_LOOSE + 1:
        yield from (f"{folder}{os.sep}{name}" for name in ("__init__.py", *REPOSITORY))
        yield f"{root}{os.sep}{os.path.basename(folder)}"  # noqa: PTH119 (a package that needs no `__init__.py`)
        beyond += beyond > 0 or folder == root
        folder, below = os.path.dirname(folder), folder  # noqa: PTH120
        if folder == below:
            return


def what_is_at(path: str) -> int:
    """Return 1 for a file, 2 for a folder, and 0 for nothing: what an import could find.

    At ``BESIDE`` of a folder is what its files of Python are called, as a sum; at ``INSTALLED`` of one, its lists.
    """
    for end, names in ((BESIDE, programs_in), (INSTALLED, installed_in)):
        if path.endswith(end):
            return zlib.crc32("\n".join(names(path.removesuffix(end))).encode(errors="surrogateescape"))
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 (called for every name that was looked for)
    except (OSError, ValueError):
        return 0
    return 1 if stat.S_ISREG(mode) else 2 if stat.S_ISDIR(mode) else 0


def work_folder(filename: str, package: str) -> str:
    """The folder with all that may use a file: its repository, or that of its outermost ``package``."""
    folder = repository_folder(filename)
    if any((Path(folder) / name).exists() for name in REPOSITORY):
        return folder
    signed = (around for around in _around(package) if any(os.path.exists(sign) for sign in _work_signs(around)))  # noqa: PTH110
    return next(signed, package)


def programs_in(folder: str) -> list[str]:
    """The scripts and notebooks that lie in a folder itself; none where whatever lies there belongs to nobody."""
    if Path(folder) in (Path.home(), Path(tempfile.gettempdir()), Path(os.sep)) or Path(folder).name in NOT_SOURCE:
        return []
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith((".py", ".ipynb")))  # noqa: PTH208
    except OSError:
        return []


def installed_in(folder: str) -> list[str]:
    """The lists of files of the packages that were installed or unpacked in a folder."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".dist-info"))  # noqa: PTH208
    except OSError:
        return []
    return [f"{folder}{os.sep}{name}{os.sep}RECORD" for name in names]


def work_signs(package: str) -> Iterator[str]:
    """The paths whose existence decides that, beside the signs of a repository."""
    return (sign for around in _around(package) for sign in _work_signs(around))


def _around(package: str) -> Iterator[str]:
    """A package and the folders around it that may be its repository."""
    for folder in (Path(package), *Path(package).parents[:3]):
        if folder in (Path.home(), Path(tempfile.gettempdir())):
            return
        yield str(folder)


def _work_signs(folder: str) -> list[str]:
    return [f"{folder}{os.sep}{name}" for name in WORKED_IN]


def installed_packages() -> tuple[Path, ...]:
    """Where packages are installed: in the active environment, or else in that which runs this."""
    environments = [os.environ.get("VIRTUAL_ENV"), ".venv"]
    for environment in environments:
        if environment and (Path(environment) / "pyvenv.cfg").is_file():
            folders = [*Path(environment).glob("lib/python*/site-packages"), Path(environment, "Lib", "site-packages")]
            return tuple(folder.absolute() for folder in folders if folder.is_dir())
    own = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    return tuple(Path(folder) for folder in own)


def python_files(folder: str) -> Iterator[os.DirEntry[str]]:
    """Every Python file and notebook below a folder, environments and caches left out, sorted within each folder."""
    pending = _source_in(folder)
    while pending:
        entry = pending.pop()
        if entry.is_dir(follow_symlinks=False):
            if not entry.name.startswith(".") and entry.name not in NOT_SOURCE:
                pending += _source_in(entry.path)
        elif entry.name.endswith((".py", ".ipynb")) and leads_to_file(entry):
            yield entry


def _source_in(folder: str) -> list[os.DirEntry[str]]:
    """What lies in a folder, the last name first; nothing in an environment."""
    entries = sorted(listing(folder), key=lambda entry: entry.name, reverse=True)
    return [] if any(entry.name == "pyvenv.cfg" for entry in entries) else entries


def listing(folder: str) -> list[os.DirEntry[str]]:
    """What lies in a folder; nothing when it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def leads_to_file(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a file, or a link to one, and no pipe or device: these would be waited for.

    What may not be looked at is taken for one, so that whoever opens it says so.
    """
    try:
        return entry.is_file()
    except PermissionError:
        return True
    except OSError:  # links in a circle
        return False
