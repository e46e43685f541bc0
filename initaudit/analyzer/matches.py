"""Which words stand in a text, however its code is laid out.

A word is looked for as it is, also as a part of a longer one ("normal_" stands in "trunc_normal_"). What stands around
it narrows it down, and never asks for more than the code itself does: blanks, line breaks, comments and brackets may
stand between any two tokens.

- ``normal_(`` is called. ``init*(`` is called, and so is every name that begins with it and ends in no underscore.
- ``:zeros(`` is called where a statement may begin, behind a dotted name or not, and the operator ``:*`` stands there.
- ``apply;`` stands where a statement may end, and ``:apply;`` where that is all of it.
- ``weight?`` is tested, ``(weight)`` the first argument of a call, ``=weight`` assigned, alone or behind a dotted name,
  ``weight=`` given a value;
  ``self?`` and ``(self)`` are an attribute of the object.
- ``.data`` is an attribute, and of ``init.`` one is meant.
- ``]=`` is an assignment to an item.

Calls of special methods, such as ``super().__init__()``, are no words.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator

Words = tuple[tuple[str, ...], ...]
"""Groups of words: one of each group has to stand in a text."""
LONGEST = 32
"""Characters before a bracket that are kept: more than any word has."""


def groups(words: str | Iterable[str]) -> Words:
    """Return groups of words as they are declared: each a text whose words are separated by blanks."""
    return tuple(tuple(group.split()) for group in ([words] if isinstance(words, str) else words) if group)


class Matches:
    """The words that stand in one text; ``roughly`` asks for names and calls alone, which takes less time."""

    def __init__(self, text: str, *, roughly: bool = False) -> None:
        self.text = text
        self._roughly = roughly
        self._known: dict[str, bool] = {}

    def holds_all(self, words: Words) -> bool:
        """Whether one word of each group stands in the text."""
        known = self._known
        for group in words:
            for word in group:
                stands = known.get(word)
                if stands is None:
                    stands = known[word] = self._looked_for(word)
                if stands:
                    break
            else:
                return False
        return True

    def holds(self, word: str) -> bool:
        """Whether a word stands in the text."""
        return self.holds_all(((word,),))

    def _looked_for(self, word: str) -> bool:
        name, form, called = _parsed(word)
        if name.removesuffix("(") not in self.text or (called and name not in self.called):
            return False
        return form is None or (self._roughly and not called) or form(self)

    @functools.cached_property
    def names_called(self) -> frozenset[str]:
        """The last names of what is called."""
        return frozenset(_LAST_NAME.findall(self.called))

    @functools.cached_property
    def called(self) -> str:
        """What stands before the brackets of the text, each once: a tenth of it."""
        pieces = self.text.split("(")
        del pieces[-1]
        ends = {piece[-LONGEST:] for piece in pieces if piece[-1:] not in _BLANKS}
        ends.update(piece.rstrip(_BLANKS)[-LONGEST:] for piece in pieces if piece[-1:] in _BLANKS)
        for bracket in _BEGINS_A_LINE.finditer(self.text):
            ends.update(_ends_above(self.text, bracket.start()))
        return "(".join([*(end for end in ends if not end.endswith("__")), ""])


_BLANKS = " \t\f\\"
_LAST_NAME = re.compile(r"(\w+)\(")
_BEGINS_A_LINE = re.compile(r"\n[ \t\f]*\(")
_GAP = r"(?:[\s\\]|#.*\n)*"
"""What may stand between two tokens."""
_OPEN = rf"(?:{_GAP}\()*{_GAP}"
_DOTTED = rf"(?:\w+{_GAP}\.{_GAP})*"
_TESTS = r"\b(?:if|elif|while|assert|and|or|not)\b"
_STATEMENTS = re.compile(r"[;:]")
_NO_BEGIN = re.compile(r"[^\w.\s()\\]|\w\s+\w|\w\s*\(")
"""What stands before a name that is no begin of a statement: an operator, a keyword, a bracket behind a name."""


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


@functools.lru_cache(maxsize=1024)
def _parsed(word: str) -> tuple[str, Callable[[Matches], bool] | None, bool]:
    """The letters of a word, what else has to hold (None: nothing), and whether that is about calls alone."""
    begins = word.startswith(":")
    form = word.removeprefix(":")
    name = form.strip("*;?=().") if re.search(r"\w", form) else form
    shape = form.replace(name, "x", 1)
    if shape == "x(" and not begins:
        return form, None, True
    if shape == "x*(" and not begins:
        glob = re.compile(name + r"\w*(?<!_)\(")
        return name, lambda matches: glob.search(matches.called) is not None, True
    found = re.compile(_pattern(shape, name))
    start = name[:1] if name == "]=" else name.partition("*")[0]
    if begins:
        return start, lambda matches: _begins(matches.text, found), False
    return start, None if start == form else lambda matches: found.search(matches.text) is not None, False


def _pattern(shape: str, name: str) -> str:
    """The tokens of a word."""
    if name == "]=":
        return rf"\]{_GAP}(?:[-+*/@]|//|\*\*)?=(?!=)"
    if not name[:1].isalpha() and name[:1] != "_":
        return re.escape(name)
    before, star, after = name.partition("*")
    name = rf"{before}\w*{after}" if star else name
    owned = rf"self{_GAP}\.{_GAP}\w+\b" if name == "self" else rf"{_DOTTED}\w*{name}"
    return {
        "x": name,
        "x(": rf"{name}{_GAP}\(",
        "x;": rf"{name}(?=[ \t\f\\]*(?:[\n;#)]|\Z))",
        "x*;": rf"{name}\w*(?=[ \t\f\\]*(?:[\n;#)]|\Z))",
        "x?": rf"{_TESTS}{_OPEN}{owned}\b(?!{_GAP}(?:[.(\[=<>!]|is\b|in\b|not\b))",
        "(x)": rf"\({_GAP}{owned}{_GAP}[,)]",
        "=x": rf"=(?!=){_OPEN}{owned}\b",
        "x=": rf"{name}{_GAP}=(?!=)",
        ".x": rf"\.{_GAP}{name}\b",
        "x.": rf"\b{name}{_GAP}\.",
    }[shape]


def _begins(text: str, pattern: re.Pattern[str]) -> bool:
    """Whether something stands where a statement may begin: on its line, nothing but a dotted name is before it."""
    for found in pattern.finditer(text):
        line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        if not _NO_BEGIN.search(_STATEMENTS.split(line)[-1]):
            return True
    return False
