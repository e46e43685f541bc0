"""The possible meanings of a local name in initialization code, and the facts known at a statement."""

from __future__ import annotations

import ast
import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from initaudit.analyzer.source.snippets import FunctionNode, dotted, inner_nodes, nodes, parameters


class What(enum.Enum):
    """What a name may stand for."""

    MODULE = "a module"
    PARAMETER = "a parameter"
    STATE = "a value of a state dict"
    COPY = "a copy of a parameter"
    CLASS_NAME = "the name of the class of a module"
    NAME = "the name of a parameter or a module"
    MODULES = "modules, one by one"
    NAMED_MODULES = "modules with their names"
    PARAMETERS = "parameters, one by one"
    NAMED_PARAMETERS = "parameters with their names"
    STATES = "the values of a state dict"
    NAMED_STATES = "the items of a state dict"
    STATE_DICT = "a state dict"
    PAIR = "a pair of a name and a value"


ITERATORS = {
    "parameters": What.PARAMETERS,
    "named_parameters": What.NAMED_PARAMETERS,
    "modules": What.MODULES,
    "children": What.MODULES,
    "named_modules": What.NAMED_MODULES,
    "named_children": What.NAMED_MODULES,
}
ELEMENTS = {
    What.MODULES: What.MODULE,
    What.NAMED_MODULES: What.MODULE,
    What.PARAMETERS: What.PARAMETER,
    What.NAMED_PARAMETERS: What.PARAMETER,
    What.STATES: What.STATE,
    What.NAMED_STATES: What.STATE,
}
NAMED = {What.NAMED_MODULES, What.NAMED_PARAMETERS, What.NAMED_STATES}
TENSORS = {What.PARAMETER, What.STATE}
PARAMETERS_OF_SELF = ("self.parameters()", "self.named_parameters()")
"""Where the parameters come from that a loop over those of the object goes over."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a name stands for. ``source`` is the expression it comes from ("m.weight", "net.parameters()").

    ``kinds`` are the canonical names of the classes that a module is known to be of (one of them), and ``layer`` those
    of the module that a parameter belongs to. ``part`` says that it is a view of only some of a parameter, ``reshaped``
    one of other dimensions, and ``detached`` one that autograd does not record. ``element`` says that a loop binds the
    name, ``certain`` that it surely shares memory with what it comes from. ``items`` are the classes of the modules in
    a sequence, in order, where all are known. A copy says in ``attribute`` what made it. ``chosen`` are the conditions
    of a ``filter`` or a comprehension that leaves out others of the source.
    """

    what: What
    source: str
    kinds: tuple[str, ...] = ()
    attribute: str | None = None
    part: bool = False
    reshaped: bool = False
    detached: bool = False
    element: bool = False
    certain: bool = True
    items: tuple[str, ...] = ()
    chosen: tuple[ast.expr, ...] = ()


Names = Mapping[str, Meaning]


@dataclass(frozen=True, slots=True)
class Step:
    """A statement, and what is known when it runs.

    ``after`` are the statements that may run behind it in the same round of every loop around it; ``rounds`` are these
    loops, the innermost first. ``conditions`` are those that lead to it, each with whether it holds there. ``guarded``
    says that it stands in the body of a ``try``, and ``displayed`` that a notebook shows its value.
    """

    statement: ast.stmt
    names: Names
    after: tuple[ast.stmt, ...]
    rounds: tuple[ast.For | ast.AsyncFor | ast.While, ...]
    conditions: tuple[tuple[ast.expr, bool], ...]
    guarded: bool
    displayed: bool

    @property
    def tests(self) -> tuple[ast.expr, ...]:
        """The conditions that hold."""
        return tuple(test for test, holds in self.conditions if holds)

    @property
    def excluded(self) -> tuple[ast.expr, ...]:
        """The conditions that do not hold: those of the branches before an ``else``, and of an earlier ``continue``."""
        return tuple(test for test, holds in self.conditions if not holds)

    def calls(self) -> Iterator[ast.Call]:
        """The calls of the statement, without those of statements in it."""
        pending: list[ast.AST] = [self.statement]
        while pending:
            node = pending.pop()
            if isinstance(node, ast.Call):
                yield node
            pending += [
                inner
                for inner in inner_nodes(node)
                if not isinstance(inner, ast.stmt | ast.Lambda | ast.ExceptHandler | ast.match_case)
            ]

    def reads_later(self, name: str) -> bool:
        """Whether something may read a name behind the statement, before a loop binds it again."""
        if any(map(_reader(name), self.after)):
            return True
        for loop in self.rounds:
            if not isinstance(loop, ast.While) and name in targets(loop.target):
                return False
            if _read_first(name, loop.body):
                return True
        return False


class Later(Mapping[str, Meaning]):
    """The meanings of names at a step, which are found when one of them is asked for."""

    def __init__(self, steps: Callable[[], Sequence[Step]], at: int) -> None:
        self._steps = steps
        self._at = at

    def __getitem__(self, name: str) -> Meaning:
        return self._steps()[self._at].names[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps()[self._at].names)

    def __len__(self) -> int:
        return len(self._steps()[self._at].names)


def _read_first(name: str, body: Sequence[ast.stmt]) -> bool:
    """Whether a body may read a name before it binds it."""
    for statement in body:
        if isinstance(statement, ast.If) and not any(map(_reader(name), [ast.Expr(statement.test)])):
            if _read_first(name, statement.body) or _read_first(name, statement.orelse):
                return True
        elif _reader(name)(statement):
            return True
        elif isinstance(statement, ast.Assign) and any(name in targets(target) for target in statement.targets):
            return False
    return False


def _reader(name: str) -> Callable[[ast.stmt], bool]:
    """A function that says whether a statement reads a name."""

    def reads(statement: ast.stmt) -> bool:
        return any(
            isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load | ast.Del)
            for node in nodes(statement)
        )

    return reads


def targets(target: ast.expr) -> set[str]:
    """The names that an assignment target binds."""
    return {node.id for node in nodes(target) if isinstance(node, ast.Name)}


def bound_in(function: FunctionNode) -> set[str]:
    """The names that a function binds itself."""
    stored = {node.id for node in nodes(function) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    return stored | {param.arg for param in parameters(function)}


def forget(names: dict[str, Meaning], statement: ast.stmt) -> None:
    """Drop what a statement may bind anew."""
    if not names:
        return
    for node in nodes(statement):
        if isinstance(node, ast.Name | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            bound = dotted(node)
            names.pop(bound, None)
            for behind in [name for name in names if name.startswith(f"{bound}.")]:
                del names[behind]


def join(names: dict[str, Meaning], branches: Sequence[Names]) -> None:
    """Keep what all branches that go on agree about."""
    if not branches:
        return
    first = branches[0]
    kept = {
        name: meaning
        for name, meaning in first.items()
        if all((other := branch.get(name)) is not None and other.what is meaning.what for branch in branches)
    }
    before = dict(names)
    names.clear()
    for name, meaning in kept.items():
        same = all(branch[name] == meaning for branch in branches)
        names[name] = meaning if same else before.get(name, replace(meaning, kinds=()))


def leaves(body: Sequence[ast.stmt]) -> bool:
    """Whether a body surely does not run on to what follows."""
    return bool(body) and isinstance(body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)
