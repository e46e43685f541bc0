"""Which words stand in a text, however its code is laid out.

A word is looked for as it is, also as a part of a longer one ("normal_" stands in "trunc_normal_"). One that ends in a
bracket is looked for where it is called ("normal_("), whatever blanks, line breaks and comments stand before the
bracket. A star stands for more letters of the same name, but not for those of a special one: "init*(" stands in
"init_weights(" and not in "__init__(".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator

Words = tuple[tuple[str, ...], ...]
"""Groups of words: one of each group has to stand in a text."""
LONGEST = 32
"""Characters before a bracket that are kept: more than any word has."""


def groups(words: str | Iterable[str]) -> Words:
    """Return groups of words as they are declared: each a text whose words are separated by blanks."""
    return tuple(tuple(group.split()) for group in ([words] if isinstance(words, str) else words) if group)


class Matches:
    """The words that stand in one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._known: dict[str, bool] = {}

    def holds_all(self, words: Words) -> bool:
        """Whether one word of each group stands in the text."""
        return all(any(map(self.holds, group)) for group in words)

    def holds(self, word: str) -> bool:
        """Whether a word stands in the text."""
        if word not in self._known:
            self._known[word] = self._looked_for(word)
        return self._known[word]

    def _looked_for(self, word: str) -> bool:
        text = self._called if word.endswith("(") else self._text
        return word in text if "*" not in word else _compiled(word).search(text) is not None

    @functools.cached_property
    def _called(self) -> str:
        """What stands before the brackets of the text, each once: a tenth of it."""
        pieces = self._text.split("(")
        del pieces[-1]
        ends = {piece[-LONGEST:] for piece in pieces if piece[-1:] not in _BLANKS}
        ends.update(piece.rstrip(_BLANKS)[-LONGEST:] for piece in pieces if piece[-1:] in _BLANKS)
        for bracket in _BEGINS_A_LINE.finditer(self._text):
            ends.update(_ends_above(self._text, bracket.start()))
        return "(".join([*ends, ""])


_BLANKS = " \t\f\\"
_BEGINS_A_LINE = re.compile(r"\n[ \t\f]*\(")


def _ends_above(text: str, end: int) -> Iterator[str]:
    """Yield what may be the last code before the end of a line: behind any # may be a comment."""
    while end > 0:
        line = text[text.rfind("\n", 0, end) + 1 : end]
        parts = line.split("#")
        codes = ("#".join(parts[:count]).rstrip(_BLANKS) for count in range(len(parts), 0, -1))
        yield from (code[-LONGEST:] for code in codes if code)
        if parts[0].rstrip(_BLANKS):
            return
        end -= len(line) + 1


@functools.lru_cache(maxsize=256)
def _compiled(word: str) -> re.Pattern[str]:
    return re.compile(re.escape(word).replace(r"\*", r"(?!__)\w*"))
