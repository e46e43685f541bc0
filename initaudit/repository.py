"""What git knows: where the repository begins, and which lines changed since a revision."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import msgspec

from initaudit.finding import Place

_HUNK = re.compile(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@")


class RepositoryError(Exception):
    """git is missing, or does not know what was asked for."""


def repository_root(folder: Path) -> Path:
    """The root of the repository that a folder lies in; the folder itself when it lies in none."""
    real = Path(os.path.realpath(folder))
    holds_git = (above for above in (real, *real.parents) if os.path.exists(above / ".git"))  # noqa: PTH110
    return next(holds_git, real)


class Changes(msgspec.Struct, frozen=True):
    """The rows of each file that changed, by real path; None for a file that is new as a whole."""

    rows: dict[str, tuple[range, ...] | None]

    def touch(self, place: Place) -> bool:
        """Whether any row of a place changed; of a notebook, whose rows are not those of its cells, anything at all."""
        changed = self.rows.get(os.path.realpath(place.filename), ())
        if changed is None or place.cell is not None:
            return changed is None or bool(changed)
        return any(rows.start <= max(place.row, place.end_row) and place.row < rows.stop for rows in changed)


def changes_since(revision: str, root: Path) -> Changes:
    """What the working tree changed since a revision; raises RepositoryError when git cannot tell."""
    if revision.startswith("-"):
        raise RepositoryError(f"not a revision: {revision}")
    options = [
        "diff",
        "--unified=0",
        "--no-color",
        "--no-ext-diff",
        "--no-renames",
        "--src-prefix=a/",
        "--dst-prefix=b/",
    ]
    rows: dict[str, tuple[range, ...] | None] = {}
    try:
        diff = _git(root, *options, revision, "--")
        untracked = _git(root, "ls-files", "-z", "--others", "--exclude-standard")
    except RepositoryError as error:
        raise RepositoryError(f"cannot compare with `{revision}`: {error}") from error
    for filename, changed in _rows(diff).items():
        rows[os.path.realpath(root / filename)] = changed
    for filename in untracked.split("\0"):
        if filename:
            rows[os.path.realpath(root / filename)] = None
    return Changes(rows)


def _rows(diff: str) -> dict[str, tuple[range, ...]]:
    """The added rows that a diff without context lists."""
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
    """A name as git writes it where it holds quotes, backslashes or control characters."""
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
