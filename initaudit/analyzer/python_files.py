"""Find the Python files under the given paths, without those that .gitignore and `exclude` skip.

Looks at names and folders only; no file is opened but .gitignore itself.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from initaudit.analyzer.file.layout import leads_to_file, listing
from initaudit.patterns import PathPatterns, Patterns, understood

# Folders that never hold a project's own source. A file in one of them is still checked when it is named.
NEVER_SOURCE = frozenset(
    {
        ".bzr",
        ".direnv",
        ".eggs",
        ".git",
        ".hg",
        ".hypothesis",
        ".initaudit_cache",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".nox",
        ".pytest_cache",
        ".pytype",
        ".ruff_cache",
        ".svn",
        ".tox",
        ".venv",
        "__pycache__",
        "__pypackages__",
        "_build",
        "build",
        "dist",
        "node_modules",
        "site-packages",
        "venv",
    }
)

# What is found in a folder; a file that is named is checked whatever it is called.
FOUND = (".py", ".ipynb")


class PathError(Exception):
    """A path that does not exist or cannot be read."""


class PythonFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The files to check, in the order of the paths and then of names; what was left out; what could not be listed."""

    files: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def skipped(self) -> int:
        """How many files and folders were left out that might have been meant; caches and the like are not counted."""
        meant = [path for path in self.excluded if path.rpartition(os.sep)[2] not in NEVER_SOURCE]
        return len(meant) + len(self.unreadable)


class Exclusion:
    """What is left out by name: `exclude`, relative to a folder, and folders that never hold a project's own source."""

    def __init__(self, patterns: Iterable[str] = (), folder: Path | None = None, *, flags: Iterable[str] = ()) -> None:
        """``patterns`` are relative to ``folder``; ``flags``, like any path in a command, to the current one."""
        here = Path.cwd().resolve()
        self._folder = folder.resolve() if folder else here
        self._patterns = (PathPatterns(str(self._folder), patterns), PathPatterns(str(here), flags))

    def covers(self, real: str, *, is_folder: bool) -> bool:
        """Whether this path is left out, met in a folder that is not."""
        name = real.rpartition(os.sep)[2]
        return (is_folder and name in NEVER_SOURCE) or any(
            patterns.cover(real, is_folder=is_folder) for patterns in self._patterns
        )

    def covers_deeply(self, real: str, *, is_folder: bool) -> bool:
        """Whether this path is left out, or a folder between it and the folder of the patterns is."""
        above = (folder.name for folder in Path(real).parents if self._folder in folder.parents)
        return self.covers(real, is_folder=is_folder) or not NEVER_SOURCE.isdisjoint(above)


def find_python_files(
    paths: Iterable[str],
    *,
    exclusion: Exclusion | None = None,
    force_exclude: bool = False,
    respect_gitignore: bool = True,
) -> PythonFiles:
    """The files that ``paths`` name, and the Python files they hold; raises PathError for one that does not exist."""
    walk = _Walk(exclusion or Exclusion(), respect_gitignore)
    for path in paths:
        real, is_folder = os.path.realpath(path), _is_folder(path)
        if is_folder is None:
            walk.unreadable.append(path)
        elif force_exclude and walk.exclusion.covers_deeply(real, is_folder=is_folder):
            walk.excluded.append(path)
        elif is_folder:
            walk.folder(path, real)
        else:
            walk.take(path, real)
    walk.follow_links()
    return PythonFiles(files=tuple(walk.files), excluded=tuple(walk.excluded), unreadable=tuple(walk.unreadable))


def holds_python(path: str) -> bool:
    """Whether a Python file lies anywhere under a folder; a file was named or found, and counts as one."""
    if not os.path.isdir(path):  # noqa: PTH112 (False where it may not be known)
        return True
    pending = listing(path)
    while pending:
        entry = pending.pop()
        if entry.is_dir(follow_symlinks=False):
            pending += listing(entry.path)
        elif entry.name.endswith(FOUND):
            return True
    return False


def _is_folder(path: str) -> bool | None:
    """Whether a path is a folder, or else a file; None when nobody may know. Raises PathError for anything else."""
    try:
        mode = Path(path).stat().st_mode
    except PermissionError:
        return None
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PathError(f"{path}: no such file or folder") from error
    except OSError as error:
        raise PathError(f"{path}: {error.strerror}") from error
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise PathError(f"{path}: neither a file nor a folder")
    return stat.S_ISDIR(mode)


class _Ignored(NamedTuple):
    """One .gitignore on the way down."""

    patterns: Patterns
    above: _Ignored | None

    def hides(self, real: str, *, is_folder: bool) -> bool:
        """The innermost .gitignore that says anything about a path decides."""
        verdict, above = self.patterns.step(real, is_folder=is_folder), self.above
        while verdict is None and above is not None:
            verdict, above = above.patterns.step(real, is_folder=is_folder), above.above
        return bool(verdict)


class _Folder(NamedTuple):
    """A folder as it was reached, its real path, and what is ignored in it."""

    path: str
    real: str
    ignored: _Ignored | None


class _Walk:
    """Collects files. Remembers real paths, so that a link neither repeats a file nor loops."""

    def __init__(self, exclusion: Exclusion, respect_gitignore: bool) -> None:
        self.exclusion = exclusion
        self.respect_gitignore = respect_gitignore
        self.files: list[str] = []
        self.excluded: list[str] = []
        self.unreadable: list[str] = []
        self._seen: set[str] = set()
        self._links: list[tuple[os.DirEntry[str], str, _Ignored | None]] = []

    def take(self, path: str, real: str) -> None:
        """Add a file, unless it has been added under another name."""
        if real in self._seen:
            return
        self._seen.add(real)
        readable = os.access(real, os.R_OK)
        (self.files if readable else self.unreadable).append(_tidy(path))

    def folder(self, path: str, real: str) -> None:
        """Add every Python file under a folder that was named."""
        ignored: _Ignored | None = None
        for above in _folders_of_repository(real) if self.respect_gitignore else ():
            ignored = _read_gitignore(above, ignored)
        self._descend(_Folder(path, real, ignored))

    def follow_links(self) -> None:
        """Go where links lead, after everything that can be reached under its own name."""
        while self._links:
            folder = self._meet(*self._links.pop(0))
            if folder is not None:
                self._descend(folder)

    def _descend(self, folder: _Folder) -> None:
        pending = [folder]
        while pending:
            pending += reversed(self._list(pending.pop()))

    def _list(self, folder: _Folder) -> list[_Folder]:
        """Take the files of a folder, and give the folders in it."""
        path, real, ignored = folder
        if real in self._seen:
            return []
        self._seen.add(real)
        try:
            with os.scandir(path) as listing:
                entries = sorted(listing, key=lambda entry: (not entry.is_file(follow_symlinks=False), entry.name))
        except OSError:
            self.unreadable.append(_tidy(path))
            return []
        if self.respect_gitignore and any(entry.name in (".git", ".gitignore") for entry in entries):
            ignored = _read_gitignore(real, ignored)
        folders: list[_Folder] = []
        for entry in entries:
            stands = f"{real.rstrip(os.sep)}{os.sep}{entry.name}"
            if entry.is_symlink():
                self._links.append((entry, stands, ignored))
            elif (inner := self._meet(entry, stands, ignored)) is not None:
                folders.append(inner)
        return folders

    def _meet(self, entry: os.DirEntry[str], stands: str, ignored: _Ignored | None) -> _Folder | None:
        """Take a Python file, give a folder; leave out what is covered or ignored where it stands."""
        is_folder = _leads_to_folder(entry)
        if not is_folder and not (entry.name.endswith(FOUND) and leads_to_file(entry)):
            return None
        real = os.path.realpath(entry.path) if entry.is_symlink() else stands
        if self.exclusion.covers(stands, is_folder=is_folder) or (
            ignored is not None and ignored.hides(stands, is_folder=is_folder)
        ):
            self.excluded.append(_tidy(entry.path))
        elif is_folder:
            return _Folder(entry.path, real, ignored)
        else:
            self.take(entry.path, real)
        return None


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle, or into a folder that cannot be read
        return False


def _read_gitignore(folder: str, above: _Ignored | None) -> _Ignored | None:
    """``above`` with the .gitignore of a folder, and the private one of a repository, on top."""
    for name in (".git/info/exclude", ".gitignore"):
        path = f"{folder}{os.sep}{name}"
        if os.path.isfile(path) and os.access(path, os.R_OK):  # noqa: PTH113 (False where it may not be known)
            lines = Path(path).read_text("utf-8", "replace").splitlines()
            above = _Ignored(Patterns(folder, filter(understood, lines)), above)
    return above


def _folders_of_repository(real: str) -> list[str]:
    """The folders above a path from the root of its repository down; none outside of a repository."""
    above = [real, *(str(folder) for folder in Path(real).parents)]
    for depth, folder in enumerate(above):
        if os.path.exists(f"{folder}{os.sep}.git"):  # noqa: PTH110 (False where it may not be known)
            return above[depth:0:-1]
    return []


def _tidy(path: str) -> str:
    """The path without a leading "./": files of the current folder read "net.py"."""
    return path[2:] if path.startswith(f".{os.sep}") else path
