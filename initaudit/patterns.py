"""Patterns as in a .gitignore, relative to a folder: for .gitignore itself, `exclude` and `per-file-ignores`."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Iterable, Iterator

from pathspec import GitIgnoreSpec


class PatternError(Exception):
    """A pattern that cannot be understood."""


class Patterns:
    """Lines of patterns, and the folder (a real path) they are relative to. A folder covers what it holds.

    Raises PatternError for a line that is none.
    """

    def __init__(self, folder: str, lines: Iterable[str]) -> None:
        self.prefix = folder.rstrip(os.sep) + os.sep
        self.spec = _spec(lines)
        # One regular expression that says "no pattern speaks of this path" at once, as is true of nearly all.
        sources = [pattern.regex.pattern for pattern in self.spec.patterns if pattern.regex is not None]
        unnamed = (re.sub(r"[(][?]P<[^>]*>", "(?:", source) for source in sources)
        with _quiet():
            self.any = re.compile("|".join(f"(?:{source})" for source in unnamed) or "(?!)")

    def verdict(self, real: str, *, is_folder: bool = False) -> bool | None:
        """True for a match, False for one taken back by a ``!`` pattern, None for a path that no pattern speaks of."""
        if not real.startswith(self.prefix):
            return None
        relative = real[len(self.prefix) :].replace(os.sep, "/") + ("/" if is_folder else "")
        return self.spec.check_file(relative).include if self.any.match(relative) else None


def understood(line: str) -> bool:
    """Whether a line is a pattern; git passes over those that are not."""
    try:
        _spec([line])
    except PatternError:
        return False
    return True


def _spec(lines: Iterable[str]) -> GitIgnoreSpec:
    lines = list(lines)
    try:
        with _quiet():
            return GitIgnoreSpec.from_lines(lines, backend="simple")
    except (ValueError, re.error) as error:
        wrong = lines if len(lines) == 1 else [line for line in lines if not understood(line)]
        raise PatternError(f"not a pattern: {', '.join(f'`{line}`' for line in wrong)}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what Python says about brackets in brackets: the pattern is not ours to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield
