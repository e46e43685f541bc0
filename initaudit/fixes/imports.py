"""The names under which a file imports torch, and the imports to add for missing ones."""

from __future__ import annotations

import ast
import functools
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

from initaudit.finding import Edit, Place

_NAME = re.compile(r"(?<![\w.])torch(?:\.\w+)+")


@functools.lru_cache(maxsize=2)
def statements_of(text: str) -> list[ast.stmt] | None:
    """Return the statements of a text, of which one fix after the other asks; None where Python does not parse it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@dataclass
class Imports:
    """The imports of a text, and those that were found to be missing."""

    text: str
    bound: dict[str, str] = field(default_factory=dict)  # dotted name -> the name that is bound to it
    row: int = 0  # the last of the imports
    torch_row: int | None = None  # of the first import of something of torch
    from_nn: bool = False
    missing: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        body = statements_of(self.text) or []
        for statement in body:
            if self.torch_row is None and _is_of_torch(statement):
                self.torch_row = statement.lineno
            if isinstance(statement, ast.Import):
                for each in statement.names:  # an import further down may not have run yet
                    name = each.name if each.asname else each.name.partition(".")[0]
                    self.bound.setdefault(name, each.asname or each.name)
            elif isinstance(statement, ast.ImportFrom) and not statement.level:
                self.from_nn |= statement.module == "torch.nn"
                for each in statement.names:
                    self.bound.setdefault(f"{statement.module}.{each.name}", each.asname or each.name)
            first = statement is body[0] and isinstance(statement, ast.Expr)
            if first or isinstance(statement, ast.Import | ast.ImportFrom):
                self.row = statement.end_lineno or 1

    def spelled(self, code: str) -> str:
        """Return some code with the names of torch as the file has them."""
        return _NAME.sub(lambda match: self._name(match[0]), code)

    def _name(self, dotted: str) -> str:
        parts = dotted.split(".")
        for count in range(len(parts), 0, -1):
            head = ".".join(parts[:count])
            if head in self.bound and "." not in self.bound[head]:
                return ".".join([self.bound[head], *parts[count:]])
        if parts[1] != "nn" or len(parts) == 2:
            self.missing["torch"] = "import torch"
            return dotted
        if self.from_nn and len(parts) > 3:
            self.missing[f"torch.nn.{parts[2]}"] = f"from torch.nn import {parts[2]}"
            return ".".join(parts[2:])
        self.missing["torch.nn"] = "from torch import nn"
        return ".".join(parts[1:])

    def edits(self, filename: str) -> Iterator[Edit]:
        """Yield the edits that add what is missing behind the imports of the file."""
        for line in self.missing.values():
            if self.row == 0 or (self.torch_row is not None and line.startswith("import")):
                row = self.torch_row or 1
                yield Edit(f"{line}\n", Place(filename, row, 1, row, 1))
            else:
                end = len(self.text.split("\n")[self.row - 1]) + 1
                yield Edit(f"\n{line}", Place(filename, self.row, end, self.row, end))


def _is_of_torch(statement: ast.stmt) -> bool:
    """Whether a statement imports something of torch."""
    names = [each.name for each in statement.names] if isinstance(statement, ast.Import) else []
    names += [statement.module or ""] if isinstance(statement, ast.ImportFrom) else []
    return any(name.partition(".")[0] == "torch" for name in names)
