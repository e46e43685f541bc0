"""A call of something that torch provides, as its handler is given it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from initaudit.analyzer.symbolic.run import Run
from initaudit.analyzer.symbolic.values import UNKNOWN, Origin, Value


@dataclass(frozen=True, slots=True)
class Call:
    """A call: the canonical name of what is called, and what it is given."""

    name: str
    args: list[Value]
    keywords: dict[str, Value]
    origin: Origin

    @property
    def short(self) -> str:
        """The last part of the name."""
        return self.name.rpartition(".")[2]

    def argument(self, position: int, keyword: str, default: Value = UNKNOWN) -> Value:
        """Return an argument that may be given by position or by keyword."""
        return self.args[position] if position < len(self.args) else self.keywords.get(keyword, default)


Handler = Callable[[Run, Call], Value]
