"""What reading a file showed, and what else was looked at for it: the terms in which the cache decides what holds."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field

import msgspec

from initaudit.facts import Observation


class Search(msgspec.Struct, frozen=True, array_like=True):
    """The question which files below a folder hold a word, or a pattern."""

    folder: str
    word: bytes = b""
    pattern: bytes = b""

    def finds(self, raw: bytes) -> bool:
        if not self.word:
            return _compiled(self.pattern).search(raw) is not None
        return self.word in raw and _compiled(rb"\b" + re.escape(self.word) + rb"\b").search(raw) is not None


@functools.lru_cache(maxsize=512)
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern)


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """A search, and the files it found."""

    search: Search
    found: tuple[str, ...]


@dataclass(slots=True)
class Trail:
    """The files and searches that lie behind what is being decided."""

    files: set[str] = field(default_factory=set)
    answers: dict[Search, tuple[str, ...]] = field(default_factory=dict)


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One file that was read: what it shows, and which other files and searches decided that."""

    filename: str
    observation: Observation | None = None
    files: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()
