"""Patterns as in a .gitignore, relative to a folder; used for .gitignore, `exclude` and `per-file-ignores`."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Iterable, Iterator

from pathspec import GitIgnoreSpec

_HERE = re.compile(r"^(!?)(?:\./)+")
"""Prefixes that a shell, but not git, resolves relative to the folder of a pattern."""


class PatternError(Exception):
    """A pattern is invalid."""


class Patterns:
    """Lines of patterns, and the folder (a real path) they are relative to. A matched folder covers its content.

    Raises PatternError for an invalid line.
    """

    def __init__(self, folder: str, lines: Iterable[str]) -> None:
        self.prefix = folder.rstrip(os.sep) + os.sep
        self.spec = _spec(lines)
        # One regular expression that rejects paths without any match, which are nearly all.
        sources = [pattern.regex.pattern for pattern in self.spec.patterns if pattern.regex is not None]
        unnamed = (
            re.sub(r"[(][?]P<ps_d>", "(?:", source).replace("star", f"star_{number}_")
            for number, source in enumerate(sources)
        )
        with _quiet():
            self.any = re.compile("|".join(f"(?:{source})" for source in unnamed) or "(?!)")

    def verdict(self, real: str, *, is_folder: bool = False) -> bool | None:
        """Return True for a match, False if a ``!`` pattern cancels it, None if no pattern matches."""
        relative = self._relative(real, is_folder=is_folder)
        return self.spec.check_file(relative).include if relative is not None else None

    def step(self, real: str, *, is_folder: bool) -> bool | None:
        """As ``verdict``, of a path in a folder that is not left out: by what names the path itself, as git decides."""
        relative = self._relative(real, is_folder=is_folder)
        if relative is None:
            return None
        patterns = reversed(self.spec.patterns)
        return next((one.include for one in patterns if one.regex is not None and _names(one.regex, relative)), None)

    def _relative(self, real: str, *, is_folder: bool) -> str | None:
        """A path as patterns see it; None when none speaks of it."""
        if not real.startswith(self.prefix):
            return None
        relative = real[len(self.prefix) :].replace(os.sep, "/") + ("/" if is_folder else "")
        return relative if self.any.match(relative) else None


def _names(pattern: re.Pattern[str], relative: str) -> bool:
    """Whether a pattern matches a path itself, not only a folder above it."""
    match = pattern.search(relative)
    if match is None:
        return False
    if "ps_d" in pattern.groupindex:  # the slash behind a folder, where one was matched
        return match.end("ps_d") in (-1, len(relative))
    return not (relative.endswith("/") and match.end() == len(relative))  # `folder/**` is what lies in it


class PathPatterns:
    """Patterns that may also be paths: `./net.py`, `../net.py`, or absolute ones.

    A pattern with a leading slash matches both as an absolute path and below the folder, as in a .gitignore.
    """

    def __init__(self, folder: str, lines: Iterable[str]) -> None:
        lines = list(lines)
        paths = [os.path.join(folder, line) for line in lines if line.startswith(("/", "../"))]  # noqa: PTH118
        anywhere = [os.path.realpath(path) + "/" * path.endswith("/") for path in paths]
        self._patterns = [Patterns(folder, (_HERE.sub(r"\1/", line) for line in lines))]
        self._patterns += [Patterns(os.sep, anywhere)] if anywhere else []

    def cover(self, real: str, *, is_folder: bool = False) -> bool:
        """Whether the patterns match a path."""
        return any(patterns.verdict(real, is_folder=is_folder) for patterns in self._patterns)


def understood(line: str) -> bool:
    """Whether a line is a valid pattern; git ignores invalid ones."""
    try:
        _spec([line])
    except PatternError:
        return False
    return True


def _spec(lines: Iterable[str]) -> GitIgnoreSpec:
    lines = list(lines)
    try:
        with _quiet():
            spec = GitIgnoreSpec.from_lines(lines, backend="simple")
            for pattern in spec.patterns:
                if pattern.regex is not None:
                    pattern.regex = re.compile(_in_linear_time(pattern.regex.pattern))
            return spec
    except (ValueError, re.error) as error:
        wrong = lines if len(lines) == 1 else [line for line in lines if not understood(line)]
        raise PatternError(f"not a pattern: {', '.join(f'`{line}`' for line in wrong)}") from error


_STAR = "[^/]*"


def _in_linear_time(source: str) -> str:
    """Return a pattern in which each star but the last of a name takes the first place it finds, and tries no other.

    What stands between two stars of one name matches as well at its first place as at any other.
    """
    first, *parts = source.split(_STAR)
    if len(parts) < 2 or "star" in source:
        return source
    for position, part in enumerate(parts[:-1]):
        if "/" in part.replace("[^/]", "") or re.search(r"[()|$\\[]", part.replace("[^/]", "")):
            parts[position] = _STAR + part
        else:
            parts[position] = f"(?=(?P<star{position}>[^/]*?{part}))(?P=star{position})"
    return first + "".join(parts[:-1]) + _STAR + parts[-1]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what Python says about brackets in brackets: the pattern is not ours to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield
