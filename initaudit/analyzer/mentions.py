"""Which files of a folder hold a word or a pattern: where to look for whoever else writes a parameter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from initaudit.analyzer.layout import python_files
from initaudit.analyzer.reading import Search

CLASS_NAME = re.compile(rb"\b_*[A-Z]\w*")
"""What is looked for most."""


class Mentions:
    """The class names of every Python file below the folders that were asked about, collected once."""

    def __init__(self) -> None:
        self._class_names: dict[str, dict[bytes, list[str]]] = {}
        self._found: dict[Search, tuple[str, ...]] = {}

    def matching(self, search: Search) -> tuple[str, ...]:
        """The files that a search finds."""
        if search not in self._found:
            if CLASS_NAME.fullmatch(search.word):
                self._found[search] = tuple(self._index(search.folder).get(search.word, ()))
            else:
                self._found[search] = tuple(path for path, raw in _contents(search.folder) if search.finds(raw))
        return self._found[search]

    def _index(self, folder: str) -> dict[bytes, list[str]]:
        if folder not in self._class_names:
            index = self._class_names[folder] = dict[bytes, list[str]]()
            for path, raw in _contents(folder):
                for name in set(CLASS_NAME.findall(raw)):
                    index.setdefault(name, []).append(path)
        return self._class_names[folder]


def _contents(folder: str) -> Iterator[tuple[str, bytes]]:
    for entry in python_files(folder):
        try:
            yield entry.path, Path(entry.path).read_bytes()
        except OSError:
            continue
