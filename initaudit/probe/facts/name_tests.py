"""Initialization loops that test parts of names, compared with the names that they met during a build."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from types import CodeType

from initaudit.finding import Observer
from initaudit.naming import OF_PARAMETERS, OF_TORCH, blocks, initializes, parts_asked_for
from initaudit.probe.record.lines import place_of_node
from initaudit.probe.record.walks import loops, variables_in
from initaudit.probe.record.watch import Watch
from initaudit.subjects.module_tests import NameTest


def name_tests(watch: Watch) -> Iterator[NameTest]:
    """Tests before something is initialized that no name passes which their loop came to, in all of its runs."""
    for loop in loops(watch, _compares_text):
        name, element = loop.variables() or (None, "")
        names = loop.names
        if name is None or not names or _binds(loop.node.body, name):
            continue
        tests = [
            (test, part)
            for branch, asked in _branches(loop.node.body, frozenset())
            if initializes(branch.body, element) and not asked & loop.own()
            for test, part in parts_asked_for(branch.test, name)
        ]
        failed = [(test, part) for test, part in tests if not _may_be_meant(part, names)]
        never = {id(test) for test, _ in failed}
        pieces = {piece for each in names for piece in each.split(".") if piece and not piece.isdigit()}
        for test, part in failed:
            yield NameTest(
                observer=Observer.PROBE,
                place=place_of_node(loop.code.co_filename, test),
                source=ast.unparse(test),
                part=part,
                model=ast.unparse(loop.walked),
                others_pass=_acts(loop.node.body, element, never),
                known=tuple(sorted(pieces - OF_TORCH)),
            )


def _compares_text(code: CodeType) -> bool:
    return any(isinstance(constant, str) for constant in code.co_consts)


def _binds(body: Sequence[ast.stmt], variable: str) -> bool:
    """Whether a variable is given another value."""
    bound = (node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Name))
    return any(node.id == variable and not isinstance(node.ctx, ast.Load) for node in bound)


def _branches(body: Sequence[ast.stmt], asked: frozenset[str]) -> Iterator[tuple[ast.If, frozenset[str]]]:
    """Every ``if``, and the names that its test and those around it mention."""
    for statement in body:
        inside = asked
        if isinstance(statement, ast.If):
            inside |= variables_in(statement.test)
            yield statement, inside
        for block in blocks(statement):
            yield from _branches(block, inside)


def _may_be_meant(part: str, names: set[str]) -> bool:
    """Whether some name has a part; or what it is for is a parameter of torch, and the model has none such."""
    if any(part in name for name in names):
        return True
    return all(any(piece in known for known in OF_PARAMETERS) for piece in part.split(".") if piece)


def _acts(body: Sequence[ast.stmt], element: str, never: set[int]) -> bool:
    """Whether something may become of an element outside of the branches that are never taken."""
    for statement in body:
        if isinstance(statement, ast.If):
            taken = not _fails(statement.test, never) and _acts(statement.body, element, never)
            if taken or _acts(statement.orelse, element, never):
                return True
        elif inner := list(blocks(statement)):
            if any(_acts(block, element, never) for block in inner):
                return True
        elif any(isinstance(node, ast.Name) and node.id == element for node in ast.walk(statement)):
            return True
    return False


def _fails(test: ast.expr, never: set[int]) -> bool:
    """Whether a test fails because of those that never hold."""
    if isinstance(test, ast.BoolOp):
        return (any if isinstance(test.op, ast.And) else all)(_fails(value, never) for value in test.values)
    return id(test) in never
