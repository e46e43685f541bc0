"""The bases of a class, and their method resolution order."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
_TYPE_PARAMETERS = re.compile(r"^(class\s+\w+)\s*\[(?:[^\[\]]|\[[^\[\]]*\])*\]")
"""What stands in brackets behind the name of a class (``class A[T: int](Base)``)."""


def bases(lines: Sequence[str]) -> list[str]:
    """The positional bases of the class statement that some lines begin with, subscripts (``Generic[T]``) dropped."""
    header, opened = "", 0
    for line in lines:
        code = line.split("#")[0].rstrip()
        opened += code.count("(") - code.count(")")
        header += f"{line}\n"
        if not opened and ":" in code:
            header += " pass" if code.endswith(":") else ""
            break
    try:
        statement = ast.parse(_TYPE_PARAMETERS.sub(r"\1", header.lstrip(), count=1)).body[0]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found = statement.bases if isinstance(statement, ast.ClassDef) else []
    return [_name(base) for base in found if not isinstance(base, ast.Starred)]


def _name(base: ast.expr) -> str:
    """The name of a base, or of what is called or indexed for it."""
    while isinstance(base, ast.Subscript | ast.Call):
        base = base.value if isinstance(base, ast.Subscript) else base.func
    return ast.unparse(base)


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
