"""The result of reading a file, and its dependencies, by which the cache decides whether the result is still valid."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import msgspec

from initaudit.analyzer.file.matches import Matches, Words
from initaudit.finding import Place
from initaudit.observation import Observation, ProvedFix

T = TypeVar("T")
IMPORTED = re.compile(rb"import\b(?:[ \t]|\\\r?\n)*(\((?:[^)#]|#[^\n]*\n)*\)|(?:[^\\\n]|\\\r?\n)*)")
"""The text after the word `import`. A comment ends with its line: otherwise a bracket that is never closed, with
comments behind it, takes exponential time."""
NAME = re.compile(rb"[A-Za-z_]\w*")
_OUR_NOQA = re.compile(rb"noqa.*\bINI[0-9]", re.IGNORECASE)


class Search(msgspec.Struct, frozen=True, array_like=True):
    """A search for the files below a folder that hold a word by itself, import one of some names, and hold other words.

    ``words`` are groups in the form of ``matches``: a file has to hold one word of each group. Empty fields are no
    criteria.
    """

    folder: str
    word: bytes = b""
    imported: tuple[bytes, ...] = ()
    words: Words = ()

    def finds(self, raw: bytes) -> bool:
        """Whether a file meets all criteria."""
        if self.word not in raw:
            return False
        if self.imported and imported_names(raw).isdisjoint(self.imported):
            return False
        return self.finds_words(raw)

    def finds_words(self, raw: bytes) -> bool:
        """Whether a file holds the words; what it imports is known."""
        if self.word not in raw or (self.word and _by_itself(self.word).search(raw) is None):
            return False
        return not self.words or _matches(raw).holds_all(self.words)


@functools.lru_cache(maxsize=256)
def _by_itself(word: bytes) -> re.Pattern[bytes]:
    plain = re.escape(word)
    return re.compile(plain + rb"(?<!\w" + plain + rb")\b")  # what begins with plain letters is found much faster


@functools.lru_cache(maxsize=64)
def _matches(raw: bytes) -> Matches:
    return Matches(raw.decode(errors="replace"))


@functools.lru_cache(maxsize=64)
def imported_names(raw: bytes) -> frozenset[bytes]:
    """Return the names that a file imports; every name in it if it has a star import."""
    imported = IMPORTED.findall(raw)
    everything = any(names.startswith(b"*") for names in imported)
    return frozenset(NAME.findall(raw if everything else b"\n".join(imported)))


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """A search, and the files it found."""

    search: Search
    found: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Trail:
    """The dependencies of a result.

    The content of ``files`` matters, also whether they are missing or unreadable. Of ``places``, it matters only
    whether there is a file, a folder or nothing (see ``layout.what_is_at``). ``answers`` are the results of searches.
    ``added`` are the complete dependencies of other results that are among these, and ``known`` the answers for which
    these dependencies are enough, by question.
    """

    files: set[str] = field(default_factory=set)
    places: dict[str, int] = field(default_factory=dict)
    answers: dict[Search, tuple[str, ...]] = field(default_factory=dict)
    added: set[Trail] = field(default_factory=set)
    known: dict[Hashable, Any] = field(default_factory=dict)

    def once(self, question: Hashable, answer: Callable[[], T]) -> T:
        """Return the answer to a question, whose dependencies are added when it is asked for the first time."""
        if question not in self.known:
            self.known[question] = answer()
        found: T = self.known[question]
        return found

    def add(self, other: Trail) -> None:
        """Add the dependencies of another result."""
        if other not in self.added:
            self.added.add(other)
            self.files |= other.files
            self.places.update(other.places)
            self.answers.update(other.answers)

    def end(self) -> None:
        """Keep nothing but the dependencies, since nothing is added any more."""
        self.added.clear()
        self.known.clear()


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The result of reading one file, with the files, places and searches that it depends on."""

    filename: str
    observation: Observation | None = None
    files: tuple[str, ...] = ()
    places: dict[str, int] = {}
    answers: tuple[Answer, ...] = ()


def comments(raw: bytes) -> bool:
    """Whether a file may contain suppressions for this tool."""
    return b"initaudit:" in raw or (b"INI" in raw and _OUR_NOQA.search(raw) is not None)


class Judge(Protocol):
    """Applies the rules to an observation; an observer does not know them."""

    def accused(self, observation: Observation) -> frozenset[tuple[str, Place]]:
        """Return the kinds of subject of which there is something to report, and where."""

    def weighing(self, observation: Observation) -> frozenset[Place]:
        """Return where there is something to report that is more than a note."""

    def proved(self, observation: Observation, text: str, read: Callable[[str], Observation]) -> tuple[ProvedFix, ...]:
        """Return the fixes that are proved; ``read`` reads the file with a fixed text."""


class LostWorkerError(Exception):
    """A worker process ended before it had read its files."""
