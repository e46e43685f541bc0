"""Which words and patterns a file holds.

RE2, where it is installed, reads several times as fast as Python's own engine, and looks for all of them at once. It
knows no lookarounds.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

try:
    import re2
except ImportError:  # an extra, since it does not come for every system; and other packages are called re2 as well
    re2 = None

LONGEST_CALL = 24
"""Bytes before a bracket that are kept, more than any word has."""
MEMORY = 256 << 20
"""Bytes that RE2 may remember of what it has seen; it takes what it needs."""
_TOKEN = re.compile(rb"\\.|\[\^?\]?(?:\\.|[^]\\])*\]|(?P<looks>\(\?<?[=!])|(?P<opens>\()|(?P<closes>\))", re.DOTALL)


def without_lookarounds(pattern: bytes) -> bytes:
    """A pattern that matches wherever another does, and more: what that one asks of its surroundings is not asked."""
    kept, begin, depth = b"", 0, 0  # depth: groups that are open in a lookaround, itself among them
    for token in _TOKEN.finditer(pattern):
        if not depth and token["looks"]:
            kept += pattern[begin : token.start()]
        if depth or token["looks"]:
            depth += (token["looks"] or token["opens"]) is not None
            depth -= token["closes"] is not None
            begin = token.end()
    return kept + pattern[begin:]


class Pattern(Protocol):
    """A compiled pattern, whoever compiled it."""

    @property
    def pattern(self) -> bytes: ...
    def search(self, text: bytes, /) -> object | None: ...
    def finditer(self, text: bytes, /) -> Iterator[Match]: ...


class Match(Protocol):
    """Where a pattern matched."""

    def end(self) -> int: ...


@functools.lru_cache(maxsize=512)
def compiled(pattern: bytes) -> Pattern:
    """A pattern, by the engine that finds it fastest."""
    if re2 is None or without_lookarounds(pattern) != pattern:
        return re.compile(pattern)
    found: Pattern = re2.compile(pattern, _options())
    return found


def _options() -> object:
    options = re2.Options()
    options.encoding, options.max_mem = re2.Options.Encoding.LATIN1, MEMORY
    return options


class Held:
    """The words and patterns that one file holds.

    Those that a sieve ``saw`` stand in it, and no others; what was ``seen_loosely`` may match, and is looked for when
    it is asked for. Without a sieve everything is, and once.
    """

    def __init__(
        self, raw: bytes, saw: AbstractSet[bytes] | None = None, seen_loosely: AbstractSet[bytes] = frozenset()
    ) -> None:
        self.raw = raw
        self._saw = saw
        self._loose = seen_loosely
        self._known: dict[bytes, bool] = {}

    @functools.cached_property
    def calls(self) -> bytes:
        """What stands before the brackets of the file, each once: a tenth of its bytes."""
        return b"(".join({before[-LONGEST_CALL:] for before in self.raw.split(b"(")}) + b"("

    def any_word(self, words: AbstractSet[bytes]) -> bool:
        """Whether one of some words stands in the file."""
        return any(map(self._word, words)) if self._saw is None else not words.isdisjoint(self._saw)

    def _word(self, word: bytes) -> bool:
        """Whether a word stands in the file: one that ends in a bracket is looked for before the brackets."""
        if word not in self._known:
            self._known[word] = word in (self.calls if word.endswith(b"(") else self.raw)
        return self._known[word]

    def any_match(self, patterns: Mapping[bytes, Pattern], *, call: bool = False) -> bool:
        """Whether one of some patterns matches in the file; those that tell a ``call``, before its brackets."""
        if self._saw is None:
            return any(self._match(pattern, call=call) for pattern in patterns.values())
        seen = self._saw & patterns.keys()
        return any(key not in self._loose or self._match(patterns[key], call=call) for key in seen)

    def _match(self, pattern: Pattern, *, call: bool) -> bool:
        if pattern.pattern not in self._known:
            self._known[pattern.pattern] = pattern.search(self.calls if call else self.raw) is not None
        return self._known[pattern.pattern]


class Sieve:
    """Words and patterns to look for in many files: all at once, where RE2 is installed.

    A pattern with lookarounds is seen loosely, by what it matches without them.
    """

    def __init__(self, words: Iterable[bytes], patterns: Iterable[bytes]) -> None:
        self._sought: list[bytes] = []
        self._loose: frozenset[bytes] = frozenset()
        if re2 is None:
            return
        loose = {pattern: without_lookarounds(pattern) for pattern in patterns}
        expressions = {**loose, **{word: re.escape(word) for word in words}}
        self._set = re2.Set.SearchSet(_options())
        for expression in expressions.values():
            self._set.Add(expression)
        self._set.Compile()
        self._sought = list(expressions)
        self._loose = frozenset(pattern for pattern, expression in loose.items() if expression != pattern)

    def held(self, raw: bytes) -> Held:
        """What a file holds."""
        if not self._sought:
            return Held(raw)
        return Held(raw, {self._sought[index] for index in self._set.Match(raw) or ()}, self._loose)
