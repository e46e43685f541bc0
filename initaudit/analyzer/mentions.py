"""Which files of a folder hold a word or a pattern: where to look for whoever else writes a parameter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from initaudit.analyzer.layout import python_files
from initaudit.analyzer.reading import Search, words


class Mentions:
    """The words of every Python file below the folders that were asked about, each folder read once."""

    def __init__(self) -> None:
        self._words: dict[str, dict[bytes, list[str]]] = {}
        self._found: dict[Search, tuple[str, ...]] = {}

    def matching(self, search: Search) -> tuple[str, ...]:
        """The files that a search finds."""
        if search not in self._found:
            if search.word:
                self._found[search] = tuple(self._index(search.folder).get(search.word, ()))
            else:
                self._found[search] = tuple(path for path, raw in _contents(search.folder) if search.finds(raw))
        return self._found[search]

    def _index(self, folder: str) -> dict[bytes, list[str]]:
        if folder not in self._words:
            index = self._words[folder] = dict[bytes, list[str]]()
            for path, raw in _contents(folder):
                for word in words(raw):
                    index.setdefault(word, []).append(path)
        return self._words[folder]


def _contents(folder: str) -> Iterator[tuple[str, bytes]]:
    for entry in python_files(folder):
        try:
            yield entry.path, Path(entry.path).read_bytes()
        except OSError:
            continue
