"""A folder of the workspace, and a run of `check` in it with the texts of open documents."""

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
from initaudit.sources.source import SourceFile


class CancelledError(Exception):
    """A document changed while it was being checked."""


class Root(msgspec.Struct, frozen=True):
    """A folder: a ``whole`` project, or the folder of a single file opened outside of any project."""

    folder: str
    whole: bool = True

    def name_of(self, path: str) -> str:
        """Return the name of a file relative to this folder."""
        return os.path.relpath(path, self.folder)

    def check(self, given: Sequence[SourceFile], only: Iterable[str], going_on: Callable[[], bool]) -> Report:
        """Return what `initaudit check` in this folder reports of some files.

        ``given`` holds texts that replace files, named relative to this folder. The run changes the current folder, so
        only one may run at a time. Raises CancelledError once ``going_on`` returns False.
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
    """Return the innermost workspace folder that contains a file, else the folder of the file."""
    holding = [folder for folder in folders if path.startswith(folder.rstrip(os.sep) + os.sep)]
    return Root(max(holding, key=len)) if holding else Root(os.path.dirname(path), whole=False)  # noqa: PTH120
