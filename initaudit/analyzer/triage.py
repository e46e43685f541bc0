"""Which files, and which functions in them, can hold anything that is asked for."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from itertools import chain

from initaudit.analyzer.sieve import Held, Sieve, compiled
from initaudit.analyzer.triggers import TRIGGERS, rows_of
from initaudit.observation import Question
from initaudit.subjects.files import SyntaxFault


class Sought:
    """What answers some questions about one kind of subject: its triggers, and the words that the questions name."""

    def __init__(self, subject: str, questions: Iterable[Question]) -> None:
        self.subject = subject
        self._triggers = TRIGGERS[subject]
        named = [question.words for question in questions]
        self._named = named if all(named) else []
        self._raw_named = [[frozenset(word.encode() for word in group) for group in groups] for groups in self._named]

    @property
    def looks_for(self) -> tuple[Iterable[bytes], Iterable[bytes]]:
        """The words and the patterns that are looked for in a file."""
        words, patterns = zip(*(trigger.looks_for for trigger in self._triggers), strict=True)
        named = (word for groups in self._raw_named for group in groups for word in group)
        return chain(named, *words), chain(*patterns)

    def found_in(self, held: Held) -> bool:
        """Whether a file may hold such a subject."""
        if self._raw_named and not any(all(map(held.any_word, groups)) for groups in self._raw_named):
            return False
        return all(trigger.found_in(held) for trigger in self._triggers)

    def rows(self, raw: bytes) -> set[int] | None:
        """The rows of such a file of which a part that holds a subject has one; None when it may be any part."""
        if self._named:
            words = {re.escape(word) for groups in self._raw_named for word in groups[0]}
            return rows_of(raw, (match.end() - 1 for word in words for match in compiled(word).finditer(raw)))
        found = [rows for trigger in self._triggers if (rows := trigger.rows(raw)) is not None]
        return min(found, key=len, default=None)

    def stands_in(self, unit: str) -> bool:
        """Whether a part of such a file may hold one: the words of a trigger may stand elsewhere, its pattern not."""
        if self._named and not any(all(_holds_any(unit, group) for group in groups) for groups in self._named):
            return False
        return all(trigger.stands_in(unit) for trigger in self._triggers)


def _holds_any(text: str, words: Sequence[str]) -> bool:
    return any(word in text for word in words)


@functools.lru_cache(maxsize=8)
def sought(questions: frozenset[Question]) -> tuple[Sought, ...]:
    """What to look for to answer some questions, each kind of subject once."""
    by_subject: dict[str, list[Question]] = {}
    for question in sorted(questions):
        if question.subject in TRIGGERS:
            by_subject.setdefault(question.subject, []).append(question)
    return tuple(Sought(subject, asked) for subject, asked in by_subject.items())


@functools.lru_cache(maxsize=8)
def _sieve(questions: frozenset[Question]) -> Sieve:
    """What all of it that is sought looks for in a file."""
    words, patterns = zip(*(each.looks_for for each in sought(questions)), strict=True)
    return Sieve(chain(*words), chain(*patterns))


SYNTAX = Question(SyntaxFault.__name__)
_OUR_NOQA = re.compile(rb"noqa[^\n]*\bINI[0-9]", re.IGNORECASE)


def sought_in(raw: bytes, questions: frozenset[Question]) -> tuple[Sought, ...] | None:
    """What a file may hold of that which answers some questions; None when it need not be looked at."""
    if b"torch" not in raw:
        return None
    wanted = sought(questions)
    if not wanted:
        return () if SYNTAX in questions else None
    held = _sieve(questions).held(raw)
    return tuple(each for each in wanted if each.found_in(held)) or None


def comments(raw: bytes) -> bool:
    """Whether a file may hold suppressions that are written for this tool."""
    return b"initaudit:" in raw or (b"INI" in raw and _OUR_NOQA.search(raw) is not None)
