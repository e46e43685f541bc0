"""What a class derives from: the bases in its header, and their order of resolution."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
_TYPE_PARAMETERS = re.compile(r"^(class\s+\w+)\s*\[(?:[^\[\]]|\[[^\[\]]*\])*\]")
"""What stands in brackets behind the name of a class (``class A[T: int](Base)``)."""


def bases(lines: Sequence[str]) -> list[str]:
    """The positional bases of the class statement that some lines begin with, subscripts (``Generic[T]``) dropped."""
    header = ""
    for line in lines:
        header += line.split("#")[0].strip() + " "
        if header.count("(") == header.count(")") and header.rstrip().partition(":")[1]:
            break
    header = _TYPE_PARAMETERS.sub(r"\1", header, count=1)
    inside = header.partition("(")[2].rpartition(")")[0] if "(" in header.partition(":")[0] else ""
    return [name for name in split_arguments(inside) if name and "=" not in name and not name.startswith("*")]


def split_arguments(text: str) -> list[str]:
    """Comma-separated arguments, without what stands in brackets."""
    depth, current, result = 0, "", []
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            result.append(current.strip())
            current = ""
        elif depth == 0 and character not in ")]}":
            current += character
    return [*result, current.strip()]


def merge(sequences: Sequence[list[T]]) -> list[T] | None:
    """C3 linearization; None when there is none."""
    result: list[T] = []
    pending = [sequence for sequence in sequences if sequence]
    while pending:
        for sequence in pending:
            head = sequence[0]
            if not any(head in other[1:] for other in pending):
                break
        else:
            return None
        result.append(head)
        pending = [rest for s in pending if (rest := s[1:] if s[0] == head else s)]
    return result
