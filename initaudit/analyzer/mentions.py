"""Which files of a folder speak of a name, decided on bytes: where to look for whoever else writes a parameter."""

from __future__ import annotations

import os
import re
from pathlib import Path

NOT_SOURCE = {"__pycache__", "node_modules", "site-packages", "build", "dist"}


class Mentions:
    """The bytes of every Python file below the folders that were asked about, read once."""

    def __init__(self) -> None:
        self._texts: dict[str, list[tuple[str, bytes]]] = {}
        self._found: dict[tuple[str, str], list[str]] = {}
        self._matching: dict[tuple[bytes, str], list[str]] = {}

    def of(self, name: str, folder: str) -> list[str]:
        """The files below a folder in which a name stands as a word."""
        if (folder, name) not in self._found:
            needle = name.encode()
            word = re.compile(rb"\b" + re.escape(needle) + rb"\b")
            texts = self._below(folder)
            self._found[folder, name] = [path for path, raw in texts if needle in raw and word.search(raw)]
        return self._found[folder, name]

    def matching(self, pattern: re.Pattern[bytes], folder: str) -> list[str]:
        """The files below a folder that hold a pattern."""
        key = (pattern.pattern, folder)
        if key not in self._matching:
            self._matching[key] = [path for path, raw in self._below(folder) if pattern.search(raw)]
        return self._matching[key]

    def _below(self, folder: str) -> list[tuple[str, bytes]]:
        if folder not in self._texts:
            self._texts[folder] = _read(folder)
        return self._texts[folder]


def _read(folder: str) -> list[tuple[str, bytes]]:
    """Every Python file below a folder, environments and caches left out."""
    texts = []
    for root, folders, files in os.walk(folder):
        if "pyvenv.cfg" in files:
            folders[:] = []
            continue
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in NOT_SOURCE)
        for name in sorted(files):
            if name.endswith(".py"):
                path = Path(root, name)
                try:
                    texts.append((str(path), path.read_bytes()))
                except OSError:
                    continue
    return texts
