"""Which words and patterns a file holds.

RE2, where it is installed, reads several times as fast as Python's own engine, and looks for all of them at once. It
knows no lookarounds.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

try:
    import re2
    from re2 import Options, Set
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
    options = Options()
    options.encoding, options.max_mem = Options.Encoding.LATIN1, MEMORY
    return options


class Held:
    """The words and patterns that one file holds, each looked for when it is asked for, and once.

    Of those that a sieve looked for, it is ``known`` already.
    """

    def __init__(self, raw: bytes, known: Mapping[bytes, bool] | None = None) -> None:
        self.raw = raw
        self._known = dict(known or {})

    @functools.cached_property
    def calls(self) -> bytes:
        """What stands before the brackets of the file, each once: a tenth of its bytes."""
        return b"(".join({before[-LONGEST_CALL:] for before in self.raw.split(b"(")}) + b"("

    def word(self, word: bytes) -> bool:
        """Whether a word stands in the file, or may: one that ends in a bracket is looked for before the brackets."""
        if word not in self._known:
            self._known[word] = word in (self.calls if word.endswith(b"(") else self.raw)
        return self._known[word]

    def any_word(self, words: Iterable[bytes]) -> bool:
        """Whether one of some words stands in the file."""
        return any(map(self.word, words))

    def match(self, pattern: Pattern, *, call: bool = False) -> bool:
        """Whether a pattern matches in the file; one that tells a ``call``, before its brackets."""
        if pattern.pattern not in self._known:
            self._known[pattern.pattern] = pattern.search(self.calls if call else self.raw) is not None
        return self._known[pattern.pattern]


class Sieve:
    """Words and patterns to look for in many files: all at once, where RE2 is installed.

    A pattern with lookarounds is only known not to match where it does not without them.
    """

    def __init__(self, words: Iterable[bytes], patterns: Iterable[bytes]) -> None:
        self._found: list[tuple[bytes, bool]] = []
        self._absent: dict[bytes, bool] = {}
        if re2 is None:
            return
        self._set = Set.SearchSet(_options())
        sought = {word: re.escape(word) for word in words} | {each: without_lookarounds(each) for each in patterns}
        words = set(words)
        for key, expression in sought.items():
            self._set.Add(expression)
            self._found.append((key, expression == key or key in words))
        self._set.Compile()
        self._absent = dict.fromkeys(sought, False)

    def held(self, raw: bytes) -> Held:
        """What a file holds."""
        if not self._found:
            return Held(raw)
        known = self._absent.copy()
        for index in self._set.Match(raw) or ():
            key, decided = self._found[index]
            if decided:
                known[key] = True
            else:
                del known[key]
        return Held(raw, known)
