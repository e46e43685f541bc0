"""Patterns as in a .gitignore, relative to a folder: for .gitignore itself, `exclude` and `per-file-ignores`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from pathspec import GitIgnoreSpec


class Patterns:
    """Lines of patterns, and the folder (a real path) they are relative to. A folder covers what it holds."""

    def __init__(self, folder: str, lines: Iterable[str]) -> None:
        self.prefix = folder.rstrip(os.sep) + os.sep
        self.spec = GitIgnoreSpec.from_lines(lines)
        # One regular expression that says "no pattern speaks of this path" at once, as is true of nearly all.
        sources = [pattern.regex.pattern for pattern in self.spec.patterns if pattern.regex is not None]
        unnamed = (re.sub(r"[(][?]P<[^>]*>", "(?:", source) for source in sources)
        self.any = re.compile("|".join(f"(?:{source})" for source in unnamed) or "(?!)")

    def verdict(self, real: str, *, is_folder: bool = False) -> bool | None:
        """True for a match, False for one taken back by a ``!`` pattern, None for a path that no pattern speaks of."""
        if not real.startswith(self.prefix):
            return None
        relative = real[len(self.prefix) :].replace(os.sep, "/") + ("/" if is_folder else "")
        return self.spec.check_file(relative).include if self.any.match(relative) else None
