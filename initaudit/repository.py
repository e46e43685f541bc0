"""Query git: the root of a repository, and the lines changed since a revision."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import msgspec

from initaudit.finding import Place

SHALLOW = "; this clone is shallow: fetch that revision first (`fetch-depth: 0` for actions/checkout)"
_HUNK = re.compile(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@")


class RepositoryError(Exception):
    """git is missing, or cannot answer."""


class Repositories:
    """The roots of the repositories of files; each folder is searched once.

    A file in no repository belongs to that of the folder ``here``, or to that folder itself.
    """

    def __init__(self, here: Path) -> None:
        self._by_folder: dict[Path, Path | None] = {}
        real = Path(os.path.realpath(here))
        self.here = self._above(real) or real

    def root(self, filename: str) -> Path:
        """Return the root of the repository of a file."""
        return self._above(Path(os.path.realpath(filename)).parent) or self.here

    def relative(self, filename: str) -> str:
        """Return a file name relative to that root, with forward slashes; unchanged if it is outside."""
        root, real = self.root(filename), Path(os.path.realpath(filename))
        return real.relative_to(root).as_posix() if real.is_relative_to(root) else Path(filename).as_posix()

    def shared(self, filenames: Iterable[str]) -> Path:
        """Return the root of the repository that holds all of these files; that of ``here`` if there is none."""
        roots = {self.root(filename) for filename in filenames}
        return next((root for root in roots if all(one.is_relative_to(root) for one in roots)), self.here)

    def _above(self, folder: Path) -> Path | None:
        passed: list[Path] = []
        found: Path | None = None
        for above in (folder, *folder.parents):
            if above in self._by_folder:
                found = self._by_folder[above]
                break
            passed.append(above)
            if os.path.exists(above / ".git"):  # noqa: PTH110 (False where it may not be known)
                found = above
                break
        self._by_folder.update(dict.fromkeys(passed, found))
        return found


class Changes(msgspec.Struct, frozen=True):
    """The changed rows of each file, by real path; None for a new file."""

    rows: dict[str, tuple[range, ...] | None]

    def touch_file(self, filename: str) -> bool:
        """Whether a file changed."""
        changed = self.rows.get(os.path.realpath(filename), ())
        return changed is None or bool(changed)

    def touch(self, place: Place) -> bool:
        """Whether any row of a place changed; for a place in a cell, whether the notebook changed at all."""
        changed = self.rows.get(os.path.realpath(place.filename), ())
        if changed is None or place.cell is not None:
            return changed is None or bool(changed)
        return any(rows.start <= max(place.row, place.end_row) and place.row < rows.stop for rows in changed)


def changes_since(revision: str, filenames: Iterable[str], repositories: Repositories) -> Changes:
    """Return the changes in the working tree since a revision, in the repositories of these files.

    An untracked file, and one in a repository without that revision, counts as new. Raises RepositoryError if no
    repository has the revision.
    """
    _refuse_flag(revision)
    by_root: dict[Path, list[str]] = {}
    for filename in filenames:
        by_root.setdefault(repositories.root(filename), []).append(os.path.realpath(filename))
    rows: dict[str, tuple[range, ...] | None] = {}
    errors: list[RepositoryError] = []
    for root, real in (by_root or {repositories.here: []}).items():
        try:
            rows.update(_changed(root, _revision_in(root, revision, repositories)))
        except RepositoryError as error:
            errors.append(error)
        for filename in real:
            rows.setdefault(filename, None)
    if len(errors) == max(len(by_root), 1):
        shallow = any(map(_is_shallow, by_root or [repositories.here]))
        raise RepositoryError(f"cannot compare with `{revision}`: {errors[0]}" + (SHALLOW if shallow else ""))
    return Changes(rows)


def changes_of_text(revision: str, filename: str, raw: bytes, repositories: Repositories) -> Changes:
    """Return the changes of a text that replaces a file, since a revision; all of it is new if the file is."""
    _refuse_flag(revision)
    root, real = repositories.root(filename), os.path.realpath(filename)
    name = Path(os.path.relpath(real, root)).as_posix()
    try:
        commit = _git(root, "rev-parse", "--verify", f"{_revision_in(root, revision, repositories)}^{{commit}}").strip()
    except RepositoryError as error:
        raise RepositoryError(f"cannot compare with `{revision}`: {error}") from error
    try:
        old = _git(root, "cat-file", "blob", f"{commit}:{name}")
    except RepositoryError:
        return Changes({real: None})
    before, after = (
        [line.rstrip("\r") for line in text.split("\n")] for text in (old, raw.decode("utf-8", "surrogateescape"))
    )
    steps = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return Changes({real: tuple(range(start + 1, end + 1) for kind, _, _, start, end in steps if kind != "equal")})


def _is_shallow(root: Path) -> bool:
    """Whether a clone lacks commits, as that of a CI service does."""
    with contextlib.suppress(RepositoryError):
        return _git(root, "rev-parse", "--is-shallow-repository").strip() == "true"
    return False


def _refuse_flag(revision: str) -> None:
    """What git would take for a flag, or for no revision at all."""
    if not revision or revision.startswith("-"):
        raise RepositoryError(f"not a revision: `{revision}`")


def _revision_in(root: Path, revision: str, repositories: Repositories) -> str:
    """Return the revision, or for a submodule the commit that it records."""
    around = repositories.root(str(root))
    if root != around and root.is_relative_to(around):
        with contextlib.suppress(RepositoryError):
            kept = _git(around, "ls-tree", revision, "--", root.relative_to(around).as_posix()).split()
            return kept[2] if kept[1:2] == ["commit"] else revision
    return revision


def _changed(root: Path, revision: str) -> dict[str, tuple[range, ...] | None]:
    """Return the changed rows of each file of a repository, whatever its attributes and settings are."""
    diff = _git(
        root,
        "diff",
        "--unified=0",
        "--inter-hunk-context=0",
        "--text",
        "--no-textconv",
        "--no-color",
        "--no-ext-diff",
        "--no-renames",
        "--src-prefix=a/",
        "--dst-prefix=b/",
        revision,
        "--",
    )
    kept, new = (_git(root, "ls-files", "-z", *how).split("\0") for how in ((), ("--others", "--exclude-standard")))
    rows: dict[str, tuple[range, ...] | None] = {f"{root / filename}": () for filename in kept if filename}
    rows.update({f"{root / filename}": changed for filename, changed in _rows(diff).items()})
    rows.update({f"{root / filename}": None for filename in new if filename})
    return rows


def _rows(diff: str) -> dict[str, tuple[range, ...]]:
    """Return the added rows in a diff without context."""
    rows: dict[str, tuple[range, ...]] = {}
    filename, inside = "", False  # lines of a hunk may look like headers
    for line in diff.split("\n"):
        if line.startswith("diff --git "):
            inside = False
        elif not inside and line.startswith(("+++ b/", '+++ "b/')):
            filename = _unquoted(line[4:].rstrip("\t\r"))[2:]
        elif match := _HUNK.match(line):
            inside = True
            start, count = int(match[1]), int(match[2] or 1)
            rows[filename] = (*rows.get(filename, ()), range(start, start + count))
    return rows


def _unquoted(name: str) -> str:
    """Parse a name that git quotes because of quotes, backslashes or control characters."""
    if not name.startswith('"'):
        return name
    return os.fsdecode(os.fsencode(name[1:-1]).decode("unicode_escape").encode("latin-1"))


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), "-c", "core.quotePath=false", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError as error:
        raise RepositoryError(f"cannot run git: {error}") from error
    if done.returncode:
        message = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["git failed"]
        raise RepositoryError(message[0])
    return done.stdout.decode("utf-8", "surrogateescape")
