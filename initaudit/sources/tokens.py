"""Tokens of a text that may not be Python: commands of notebooks, exercises with blanks, files that Python refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
      (?P<blank>[ \t\f]+|\\\n|\#[^\n]*)
    | (?P<newline>\n)
    | (?P<string>[^\W\d]{0,3}(?:
          \'{3}(?:[^\\']|\\.|'(?!''))*(?:\'{3}|\Z)
        | "{3}(?:[^\\"]|\\.|"(?!""))*(?:"{3}|\Z)
        | '(?:[^'\\\n]|\\.)*'
        | "(?:[^"\\\n]|\\.)*"))
    | (?P<opens>[(\[{])
    | (?P<closes>[)\]}])
    | (?P<compares>[=!<>:+\-*/%&|^@]=)
    | (?P<assigns>=)
    | (?P<other>
          (?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)[eE][+-]?\d\w*
        | (?:\d[\d_]*)?\.\d\w*
        | \w+
        | .)
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A piece of text: ``blank`` (comments included), ``newline``, ``string``, ``opens``, ``closes``, ``assigns``, ...

    ``start`` is its offset.
    """

    kind: str
    text: str
    start: int

    @property
    def step(self) -> int:
        """By how many brackets it nests what follows."""
        return (self.kind == "opens") - (self.kind == "closes")


def tokens(text: str, start: int = 0) -> Iterator[Token]:
    """Yield the tokens of a text from an offset on."""
    for found in _TOKEN.finditer(text, start):
        yield Token(found.lastgroup or "", found[0], found.start())
