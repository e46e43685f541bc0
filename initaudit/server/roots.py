"""A folder of the workspace, and a run of `check` in it with what the editor holds in the place of files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from initaudit import engine, session
from initaudit.engine import Report
from initaudit.observation import Headway
from initaudit.session import Asked
from initaudit.source import SourceFile


class CancelledError(Exception):
    """What was being checked has changed."""


class Root(msgspec.Struct, frozen=True):
    """A folder. It is a project as a ``whole``, or holds a single file that was opened outside of any project."""

    folder: str
    whole: bool = True

    def name_of(self, path: str) -> str:
        """Return a file as a run in this folder calls it."""
        return os.path.relpath(path, self.folder)

    def check(self, given: Sequence[SourceFile], only: Iterable[str], going_on: Callable[[], bool]) -> Report:
        """Say of some files what `initaudit check` in this folder says.

        Texts are ``given`` in the place of files by the names that these have here. The current folder is another one
        meanwhile, so that no two runs may be made at a time. Raises CancelledError once it is not ``going_on``.
        """

        def tell(_: Headway) -> None:
            if not going_on():
                raise CancelledError

        only = frozenset(only)
        with _working_in(self.folder):
            paths = (".",) if self.whole else tuple(filter(os.path.exists, only))
            asked = Asked(paths=paths, read=True, given=tuple(given), only=only, cache=False, jobs=1, tell=tell)
            prepared = session.prepare(asked)
            return prepared.with_errors(engine.run(prepared.task, prepared.watches))


@contextlib.contextmanager
def _working_in(folder: str) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def root_of(path: str, folders: Iterable[str]) -> Root:
    """Return the innermost folder of the workspace that holds a file, or else the folder that it lies in."""
    holding = [folder for folder in folders if path.startswith(folder.rstrip(os.sep) + os.sep)]
    return Root(max(holding, key=len)) if holding else Root(os.path.dirname(path), whole=False)  # noqa: PTH120
