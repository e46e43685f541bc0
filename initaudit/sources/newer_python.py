"""Whether a file that this Python does not parse is written for a newer one, as far as libcst knows its grammar."""

from __future__ import annotations

import re
from itertools import accumulate

MAX_BRACKETS = 200
"""Python's own limit. Some thousand end the process in which libcst meets them."""
MAX_STRETCH = 1000
"""Characters between commas and newlines: what libcst needs for a chain of operators grows with the square of it."""

_STEP = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
_BRACKET = re.compile(r"[()\[\]{}]")


def is_newer_python(text: str) -> bool:
    """Whether libcst parses a text that it can be asked about."""
    import libcst

    if nests_too_deep(text):
        return False
    try:
        libcst.parse_module(text)
    except (libcst.ParserSyntaxError, RecursionError):
        return False
    return True


def nests_too_deep(text: str) -> bool:
    """Whether an expression may be more than libcst can take; brackets in strings are taken for brackets."""
    depths = accumulate(_STEP[bracket] for bracket in _BRACKET.findall(text))
    return max(depths, default=0) > MAX_BRACKETS or any(len(each) > MAX_STRETCH for each in re.split(r"[,\n]", text))
