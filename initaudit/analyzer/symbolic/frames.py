"""One call of a symbolic run."""

from __future__ import annotations

from dataclasses import dataclass, field

from initaudit.analyzer.module import Module
from initaudit.analyzer.project import Defined
from initaudit.analyzer.snippets import Snippet
from initaudit.analyzer.symbolic.conditions import Condition
from initaudit.analyzer.symbolic.values import Origin, Value

MAX_DEPTH = 14


@dataclass(slots=True)
class Frame:
    """One call: the module and slice its code stands in, its names, and what it has returned."""

    module: Module
    snippet: Snippet
    owner: Defined | None = None
    instance: Value | None = None
    names: dict[str, Value] = field(default_factory=dict)
    returned: list[tuple[Condition, Value]] = field(default_factory=list)
    called_from: Origin | None = None
    function: Defined | None = None
