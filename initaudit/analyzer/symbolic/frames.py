"""One call of a symbolic run, and the program that it may belong to."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from initaudit.analyzer.file.module import Module
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.source.snippets import Snippet
from initaudit.analyzer.symbolic.conditions import Condition
from initaudit.analyzer.symbolic.values import Origin, Value

MAX_DEPTH = 14


@dataclass(slots=True)
class Frame:
    """One call: the module and slice its code stands in, its names, and what it has returned.

    ``local`` is the nested function that is called, ``function`` any other.
    """

    module: Module
    snippet: Snippet
    owner: Defined | None = None
    instance: Value | None = None
    names: dict[str, Value] = field(default_factory=dict)
    returned: list[tuple[Condition, Value]] = field(default_factory=list)
    called_from: Origin | None = None
    function: Defined | None = None
    local: ast.AST | None = None


class Build(NamedTuple):
    """Where a program builds a class, under which condition, and what its constructor is given, by name."""

    origin: Origin
    condition: Condition
    passed: dict[str, Value] = {}


@dataclass(slots=True)
class Following:
    """A program that is followed for the sake of one class.

    ``words`` are the names that lead to the class, ``begin`` is the function that the program begins with, ``given``
    are its parameters, ``constructor`` is what has made the object already, ``configured`` what builds a model that
    only a configuration names. ``builds`` tells where the program builds the class, ``trains`` whether one call both
    builds and trains it, ``names`` what the top level of a file has bound, and ``results`` what calls have given that
    need not be followed again.
    """

    words: re.Pattern[str]
    begin: Defined | None = None
    given: frozenset[str] = frozenset()
    constructor: Defined | None = None
    configured: frozenset[str] = frozenset()
    builds: list[Build] = field(default_factory=list)
    trains: bool = False
    is_certain: bool = True
    names: dict[str, dict[str, Value]] = field(default_factory=dict)
    results: dict[tuple[object, ...], Value] = field(default_factory=dict)

    def uses(self, cls: Defined) -> bool:
        """Whether a class speaks of anything that leads to the one that matters."""
        return self.words.search(cls.module.slice(cls.definition)) is not None
