"""The prefilter: select the readers for a file by the words in it.

The words of a reader, and of the rules that judge its subject, are searched in the bytes of the file. The readers
decide from syntax trees what the words mean.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from initaudit.analyzer.file.matches import Matches, Words
from initaudit.analyzer.readers import readers
from initaudit.analyzer.readers.base import Declared, Reader
from initaudit.observation import Question


@dataclass(frozen=True, slots=True)
class Candidate:
    """A reader of a requested kind of subject, its declaration, and the words of the rules.

    If one rule has no words, those of the others do not restrict the search.
    """

    reader: Reader[Any]
    declared: Declared
    asked: tuple[Words, ...]

    @property
    def subject(self) -> str:
        return self.declared.subject.__name__

    def may_be_in(self, file: Matches) -> bool:
        """Whether a file may contain the subject."""
        declared = self.declared
        return self._asked_for(file) and file.holds_all(declared.words) and file.holds_all(declared.nearby)

    def may_stand_in(self, scope: Matches) -> bool:
        """Whether a scope of such a file may contain it."""
        return self._asked_for(scope) and scope.holds_all(self.declared.words)

    def _asked_for(self, matches: Matches) -> bool:
        return not self.asked or any(map(matches.holds_all, self.asked))


@functools.lru_cache(maxsize=8)
def candidates(questions: frozenset[Question]) -> tuple[Candidate, ...]:
    """Return the candidates for some questions."""
    by_subject: dict[str, list[Words]] = {}
    for question in sorted(questions):
        by_subject.setdefault(question.subject, []).append(question.words)
    return tuple(
        Candidate(reader, declared, tuple(asked) if all(asked) else ())
        for reader in readers()
        for declared in reader.declared
        if (asked := by_subject.get(declared.subject.__name__)) is not None
    )


def candidates_in(raw: bytes, questions: frozenset[Question]) -> tuple[Candidate, ...]:
    """Return the candidates for some questions that a file may contain."""
    matches = Matches.roughly(raw)
    return tuple(each for each in candidates(questions) if each.may_be_in(matches))


def by_reader(found: Iterable[Candidate]) -> Iterator[tuple[Reader[Any], list[Candidate]]]:
    """Yield each reader, with its candidates."""
    grouped: dict[int, tuple[Reader[Any], list[Candidate]]] = {}
    for each in found:
        grouped.setdefault(id(each.reader), (each.reader, []))[1].append(each)
    yield from grouped.values()
