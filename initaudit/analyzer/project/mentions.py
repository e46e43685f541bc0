"""Which files import a name, hold a word or a pattern: where to look for whoever else writes a parameter."""

from __future__ import annotations

import functools

from initaudit.analyzer.file.layout import python_files
from initaudit.analyzer.file.reading import Search, imported_names
from initaudit.sources.files import read_bytes

REMEMBERED = 1024
"""Files whose content is kept: many searches look at the same few hundred."""


class Mentions:
    """The Python files below the folders that were asked about, and what each imports, collected once."""

    def __init__(self) -> None:
        self._files: dict[str, list[str]] = {}
        self._importing: dict[str, dict[bytes, list[int]]] = {}
        self._found: dict[Search, tuple[str, ...]] = {}
        self._content = functools.lru_cache(maxsize=REMEMBERED)(_content)

    def matching(self, search: Search) -> tuple[str, ...]:
        """The files that a search finds."""
        if search not in self._found:
            files = self._below(search.folder)
            if search.imported:
                index = self._index(search.folder)
                importing = {number for name in search.imported for number in index.get(name, ())}
                files = [files[number] for number in sorted(importing)]
            self._found[search] = tuple(path for path in files if search.finds_words(self._content(path)))
        return self._found[search]

    def _below(self, folder: str) -> list[str]:
        if folder not in self._files:
            self._files[folder] = [entry.path for entry in python_files(folder)]
        return self._files[folder]

    def _index(self, folder: str) -> dict[bytes, list[int]]:
        """By each name, the files that import it, as numbers."""
        if folder not in self._importing:
            index = self._importing[folder] = dict[bytes, list[int]]()
            for number, path in enumerate(self._below(folder)):
                for name in imported_names(self._content(path)):
                    index.setdefault(name, []).append(number)
        return self._importing[folder]


def _content(path: str) -> bytes:
    try:
        return read_bytes(path)
    except OSError:
        return b""
