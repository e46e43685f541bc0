"""What statements begin with: a text without its strings, its comments, and what stands in brackets.

Each of its lines is one statement, or several with ``;`` and ``:`` between them, however the text is broken into rows.
"""

from __future__ import annotations

import re

STRING = re.compile(
    r"#[^\n]*"
    r'|"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""'
    r"|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"
    r'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
    r"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'",
    re.DOTALL,
)
"""A comment or a string; its plain stretches are taken at once, which is several times as fast."""
_BROKEN = re.compile(r"\\\n")
_INNERMOST = re.compile(r"([(\[{])([^()\[\]{}]*)[)\]}]")
_EMPTY = {"(": "\1", "[": "\2", "{": "\3"}
"""What stands for empty brackets while those around them are taken out."""


def without_strings(text: str) -> str:
    """Return a text without comments, and with nothing in its strings."""
    return STRING.sub(_plain, text)


def skeleton(text: str) -> str:
    """Return a text without strings, comments and the insides of brackets; those that begin a statement go alone."""
    text, count = _BROKEN.sub(" ", without_strings(text)), 1
    while count:
        text, count = _INNERMOST.subn(_closed, text)
    return text.replace("\1", "()").replace("\2", "[]").replace("\3", "{}")


def _plain(found: re.Match[str]) -> str:
    return "" if found[0][0] == "#" else "''"


def _closed(found: re.Match[str]) -> str:
    """Brackets without what is in them; what is in those that begin a statement begins it."""
    opened, text, end = found[1], found.string, found.start()
    while end and text[end - 1] in " \t\f":
        end -= 1
    if opened == "(" and text[end - 1 : end] in ("", "\n", ";", ":"):
        return f" {' '.join(found[2].split())} "
    return _EMPTY[opened]
