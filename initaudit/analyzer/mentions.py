"""Which files of a folder hold a pattern, decided on bytes: where to look for whoever else writes a parameter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from initaudit.analyzer.layout import python_files
from initaudit.analyzer.reading import Search


class Mentions:
    """The bytes of every Python file below the folders that were asked about, read once."""

    def __init__(self) -> None:
        self._texts: dict[str, list[tuple[str, bytes]]] = {}
        self._found: dict[Search, tuple[str, ...]] = {}

    def matching(self, search: Search) -> tuple[str, ...]:
        """The files that a search finds."""
        if search not in self._found:
            if search.folder not in self._texts:
                self._texts[search.folder] = list(_read(search.folder))
            self._found[search] = tuple(path for path, raw in self._texts[search.folder] if search.finds(raw))
        return self._found[search]


def _read(folder: str) -> Iterator[tuple[str, bytes]]:
    for entry in python_files(folder):
        try:
            yield entry.path, Path(entry.path).read_bytes()
        except OSError:
            continue
