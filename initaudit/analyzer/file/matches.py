"""Find the words in a text, independent of its layout.

A word is looked for as it is, also as a part of a longer one ("normal_" stands in "trunc_normal_"). What stands around
it narrows it down, and never asks for more than the code itself does: blanks, line breaks, comments and brackets may
stand between any two tokens.

- ``normal_(`` is called. ``init*(`` is called, and so is every name that begins with it and ends in no underscore.
- ``:zeros(`` is called where a statement may begin, behind what it is an attribute of or not, and with what the
  operator ``:*`` gives nothing is done.
- ``apply;`` stands where a statement may end, and ``:apply;`` where that is all of it.
- ``.weight`` is an attribute, ``.weight*`` one whose name begins so, ``.weight=`` one that is given a value,
  ``.weight?`` one that is tested, ``(weight)`` the first argument of a call, ``=weight`` assigned, and not given as an
  argument, ``weight=`` given a value, and of ``init.`` an attribute is meant;
  ``self?`` and ``(self)`` are an attribute of the object, ``:self[`` one that a statement may write in place.
- ``]=`` is an assignment to an item, ``*`` a product or what is spread.
- ``'or'`` is a word of its own, ``==A`` a comparison with a name, by ``is``, ``in`` and ``case`` too.

Calls of special methods, such as ``super().__init__()``, are no words.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import keyword
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from initaudit.analyzer.file.skeleton import skeleton

Words = tuple[tuple[str, ...], ...]
"""Groups of words: one of each group has to stand in a text."""
LONGEST = 32
"""Characters before a bracket that are kept: more than any word has."""


def groups(words: str | Iterable[str]) -> Words:
    """Return groups of words as they are declared: each a text whose words are separated by blanks."""
    return tuple(tuple(group.split()) for group in ([words] if isinstance(words, str) else words) if group)


class Matches:
    """The words that stand in one text.

    Where ``names`` are given, which are all that is in it, names and calls alone are asked for, which takes less time.
    """

    def __init__(self, text: str, names: str | None = None) -> None:
        self.text = text
        self._names = names
        self._known: dict[str, bool] = {}

    @staticmethod
    def roughly(raw: bytes) -> Matches:
        """Return the words of a file in any encoding, since the letters of words are ASCII: names and calls alone."""
        names = b" ".join(set(raw.translate(_NAMES_ALONE).split()))
        return Matches(raw.translate(_LETTERS).decode("latin-1"), names.decode("latin-1"))

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
        letters = name.removesuffix("(")
        among = self._names if self._names is not None and letters.isidentifier() else self.text
        if letters not in among or (called and name not in self.called):
            return False
        return form is None or (self._names is not None and not called) or form(self)

    @functools.cached_property
    def statements(self) -> str:
        """What the statements of the text begin with."""
        return skeleton(self.text)

    @functools.cached_property
    def names_called(self) -> frozenset[str]:
        """The last names of what is called."""
        return frozenset(_CALLED_NAME.findall(self.called))

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


class Spread:
    """Which of some stretches of a text hold which words. A set of stretches is a number, with a bit for each.

    A stretch may hold others: a function that is defined under an ``if`` of the top level. What stands in the inner one
    stands in both, and what stands behind it in the outer one alone.
    """

    def __init__(self, text: str, stretches: Sequence[tuple[int, int]]) -> None:
        """``stretches`` are the offsets at which each begins and ends. What lies in none belongs to the one before."""
        self.text = text
        self.everywhere = (1 << len(stretches)) - 1
        self._begins, self._holders = _cut(stretches)
        self._named: dict[str, int] = {}

    def holding_all(self, words: Words, among: int, matches: Callable[[int], Matches]) -> int:
        """The stretches ``among`` some in which one word of each group stands; ``matches`` gives the words of one."""
        for group in _cheapest_first(words):
            found = 0
            for word in group:
                found |= self._holding(word, among & ~found, matches)
            among = found
        return among

    def _holding(self, word: str, among: int, matches: Callable[[int], Matches]) -> int:
        name, form, called = _parsed(word)
        if called or word.endswith("("):
            among &= self._calling(word if called else name.removesuffix("(") + "(")
        else:
            if name not in self._named:
                self._named[name] = self._with(name)
            among &= self._named[name]
        if form is None or called:
            return among
        return sum(1 << index for index in _bits(among) if matches(index).holds(word))

    def _calling(self, word: str) -> int:
        """The stretches that call what ends in the name of a word, or in a name that begins with it: ``init*(``."""
        known = self._named.get(word)
        if known is None:
            names, ends, stretches = self._calls
            begin, star, _ = word.removesuffix("(").partition("*")
            known = 0
            if begin in names:
                pattern = rf"{begin}\w*(?<!_)\(" if star else re.escape(word)
                for call in re.finditer(pattern, names):
                    known |= stretches[bisect.bisect_left(ends, call.end())]
            self._named[word] = known
        return known

    @functools.cached_property
    def _calls(self) -> tuple[str, Sequence[int], Sequence[int]]:
        """The names that are called, but special methods, each with its bracket; where each ends; who calls it."""
        found: dict[str, int] = {}
        begins = self._begins
        for name, at in _called_names(self.text, begins[0]) if begins else ():
            found[name] = found.get(name, 0) | self._holders[bisect.bisect_right(begins, at) - 1]
        ends = list(itertools.accumulate(len(name) + 1 for name in found))
        return "".join(f"{name}(" for name in found), ends, list(found.values())

    def _with(self, name: str) -> int:
        """The stretches in which a piece of text stands, or behind which it does before the next one begins."""
        found, find, begins, last = 0, self.text.find, self._begins, len(self._begins) - 1
        at = find(name, begins[0]) if begins else -1
        while at >= 0:
            index = bisect.bisect_right(begins, at) - 1
            found |= self._holders[index]
            if index == last:
                break
            at = find(name, begins[index + 1])
        return found


def _cut(stretches: Iterable[tuple[int, int]]) -> tuple[Sequence[int], Sequence[int]]:
    """Return where the pieces of a text begin that lie in the same stretches, and which stretches each lies in."""
    edges = list[tuple[int, int]]()
    for index, (begin, end) in enumerate(stretches):
        edges += (begin, 1 << index), (end, -1 << index)
    begins, holders, inside = list[int](), list[int](), 0
    for at, entered in itertools.groupby(sorted(edges), operator.itemgetter(0)):
        inside += sum(stretch for _, stretch in entered)
        if inside:
            begins.append(at)
            holders.append(inside)
    return begins, holders


def _bits(number: int) -> Iterator[int]:
    """The positions of the bits of a number that are set."""
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest


_BLANKS = " \t\f\\"
_NAMES_ALONE = bytes(
    each if each >= 128 or chr(each).isalnum() or each == ord("_") else ord(" ") for each in range(256)
)
"""What replaces each byte of a text where only the names in it are kept."""
_LETTERS = bytes(each if each < 128 else ord("é") for each in range(256))
"""What replaces each byte of a text where only its ASCII letters matter: no other byte ends a name."""
_CALLED_NAME = re.compile(r"(\w+)\(")
_APART = " \t\f\\\n"
_LAST_NAME = re.compile(r"(?s:.*\W)?(\w+)\Z")
_BEGINS_A_LINE = re.compile(r"\n[ \t\f]*\(")
_GAP = r"(?:[\s\\]|#.*\n)*"
"""What may stand between two tokens."""
_OPEN = rf"(?:{_GAP}\()*{_GAP}"
_DOTTED = rf"(?:\w+{_GAP}\.{_GAP})*"
_TESTS = r"\b(?:if|elif|while|assert|and|or|not)\b"
_UNCOMPARED = rf"\b(?!{_GAP}(?:[.(\[=<>!]|is\b|in\b|not\b))"
_WRITTEN = (
    rf"{_GAP}\.{_GAP}\w+{_GAP}(?:\[|(?:[-+*/@]|//|\*\*)=|\.(?:{_GAP}\w+{_GAP}\.)*{_GAP}\w+{_GAP}(?:\[|\(|[-+*/@]))"
)
_BEHIND_A_WORD = re.compile(r"\w\s+\Z")
_BEHIND_A_KEYWORD = re.compile(rf"\b(?:{'|'.join(keyword.kwlist)})\s*\Z")
_STATEMENTS = re.compile(r"[;:]")
_STARTS = {"]=": "]", "==A": ""}
_A_NAME = rf"{_OPEN}(?!not\b|None\b|True\b|False\b)[^\W\d]"
_COMPARED = (
    rf"=={_A_NAME}",
    rf"is(?<!\wis)\b{_A_NAME}",
    rf"in(?<!\win)\b{_GAP}[\[({{]{_A_NAME}",
    rf"case(?<!\wcase)\b{_A_NAME}",
)
_TESTED = {".x?": rf"{{0}}{_UNCOMPARED}", "x?": rf"{{0}}{_GAP}\.{_GAP}\w+{_UNCOMPARED}"}
_NO_OWNER = re.compile(r"[^\w.\s()\[\]]|\w\s+\w")
"""What stands before a name that begins no statement: an operator, a keyword."""
_NO_VALUE = re.compile(r"[=,<>!]|\w\s+\w")
"""What stands before an operator with whose value something is done."""


def _called_names(text: str, start: int) -> Iterator[tuple[str, int]]:
    """Yield the name before each bracket of a text, and where the bracket is; special methods are left out."""
    pieces, at = text[start:].split("("), start - 1
    del pieces[-1]
    for piece in pieces:
        at += len(piece) + 1
        before = piece.rstrip(_APART)
        if before and (len(before) == len(piece) or ("#" not in piece and "\n" not in piece[len(before) :])):
            ends: Iterable[str] = (before[-LONGEST:],)
        else:
            ends = _ends_above(text, at) if piece else ()
        for end in ends:
            name = _LAST_NAME.match(end)
            if name is not None and len(name[1]) == LONGEST:
                name = _LAST_NAME.match(before)
            if name is not None and not name[1].endswith("__"):
                yield name[1], at


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
def _cheapest_first(words: Words) -> Words:
    """The groups in which each stretch has to be looked at are the last, when few stretches are left."""
    return tuple(sorted(words, key=lambda group: any(_parsed(word)[1] is not None for word in group)))


@functools.lru_cache(maxsize=1024)
def _parsed(word: str) -> tuple[str, Callable[[Matches], bool] | None, bool]:
    """The letters of a word, what else has to hold (None: nothing), and whether that is about calls alone."""
    begins = word.startswith(":")
    form = word.removeprefix(":")
    name = form.strip(".*;?=()['") if re.search(r"\w", form) else form
    shape = form.replace(name, "x", 1)
    if shape == "x(" and not begins:
        return form, None, True
    if shape == "x*(" and not begins:
        glob = re.compile(name + r"\w*(?<!_)\(")
        return name, lambda matches: glob.search(matches.called) is not None, True
    start = _STARTS.get(form, name.partition("*")[0])
    if start == form and not begins:
        return start, None, False
    patterns = [re.compile(each) for each in (_COMPARED if form == "==A" else [_pattern(shape, name)])]
    if begins:
        return (
            start,
            lambda matches: patterns[0].search(matches.text) is not None and _begins(matches, patterns[0]),
            False,
        )
    likely = re.compile(_TESTED[shape].format(name)) if shape in _TESTED else None
    return start, lambda matches: _found(matches.text, likely, patterns), False


def _found(text: str, likely: re.Pattern[str] | None, patterns: Sequence[re.Pattern[str]]) -> bool:
    """Whether some pattern is found; one that is found with them, and faster, is looked for first."""
    return (likely is None or likely.search(text) is not None) and any(each.search(text) for each in patterns)


def _pattern(shape: str, name: str) -> str:
    """The tokens of a word."""
    if name == "]=":
        return rf"\]{_GAP}(?:[-+*/@]|//|\*\*)?=(?!=)"
    if not name[:1].isalpha() and name[:1] != "_":
        return rf"{re.escape(name)}(?!=)"
    before, star, after = name.partition("*")
    name = rf"{before}\w*{after}" if star else name
    owned = rf"self{_GAP}\.{_GAP}\w+\b" if name == "self" else rf"{_DOTTED}\w*{name}"
    return {
        "x": name,
        "x(": rf"{name}{_GAP}\(",
        "x;": rf"{name}(?=[ \t\f\\]*(?:[\n;#)]|\Z))",
        "x*;": rf"{name}\w*(?=[ \t\f\\]*(?:[\n;#)]|\Z))",
        "x?": rf"{_TESTS}{_OPEN}{owned}{_UNCOMPARED}",
        ".x?": rf"{_TESTS}{_OPEN}(?:\w+{_GAP}\.{_GAP})+{name}{_UNCOMPARED}|\.{_GAP}{name}{_GAP}\band\b",
        "(x)": rf"\({_GAP}{owned}{_GAP}[,)]",
        "=x": rf"=(?!=)(?:{_GAP}{owned}\b(?!{_GAP}[,)])|{_OPEN}\({_GAP}{owned}\b)",
        "x=": rf"{name}{_GAP}=(?!=)",
        "x[": rf"{name}{_WRITTEN}",
        ".x": rf"\.{_GAP}{name}\b",
        ".x*": rf"\.{_GAP}{name}",
        ".x=": rf"\.{_GAP}{name}{_GAP}=(?!=)",
        "x.": rf"\b{name}{_GAP}\.",
        "'x'": rf"{name}(?<!\w{name})\b",
    }[shape]


def _begins(matches: Matches, pattern: re.Pattern[str]) -> bool:
    """Whether something stands where a statement begins: a name behind nothing but what it is an attribute of.

    An operator stands between two values, and nothing is done with what comes of them.
    """
    text = matches.statements
    for found in pattern.finditer(text):
        before = _STATEMENTS.split(text[text.rfind("\n", 0, found.start()) + 1 : found.start()])[-1]
        if found[0][:1].isidentifier():
            begins = not (_NO_OWNER.search(before) or _BEHIND_A_WORD.search(before))
        else:
            begins = not (_NO_VALUE.search(before) or _BEHIND_A_KEYWORD.search(before)) and before.strip() != ""
        if begins:
            return True
    return False
