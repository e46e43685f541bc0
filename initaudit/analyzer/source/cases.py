"""``match`` statements as the ``if`` statements that they stand for, so that readers know only one kind of choice.

A statement with a pattern that looks into a sequence or a mapping stays as it is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import TypeVar

Node = TypeVar("Node", bound=ast.AST)


class _KeptError(Exception):
    """A pattern that no simple test stands for."""


def chosen_by_tests(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a body, with tests instead of cases, also in the bodies of its statements."""
    return [_Chooser().visit(statement) for statement in body]


class _Chooser(ast.NodeTransformer):
    def visit_Match(self, node: ast.Match) -> ast.AST:
        self.generic_visit(node)
        try:
            return _chain(node.subject, node.cases, node)
        except _KeptError:
            return node


def _chain(subject: ast.expr, cases: Sequence[ast.match_case], around: ast.Match) -> ast.stmt:
    if not _is_pure(subject):
        raise _KeptError
    chain: list[ast.stmt] = []
    for case in reversed(cases):
        tests, names = list(_tests(case.pattern, subject)), list(_names(case.pattern, subject))
        if case.guard is not None:
            if {node.id for node in ast.walk(case.guard) if isinstance(node, ast.Name)} & {name for name, _ in names}:
                raise _KeptError
            tests.append(case.guard)
        if not tests and case is cases[-1] and len(cases) > 1:
            chain = [*_assignments(names, case.pattern), *case.body]
            continue
        test = tests[0] if tests else _placed(ast.Constant(True), case.pattern)
        if len(tests) > 1:
            test = _placed(ast.BoolOp(ast.And(), tests), case.pattern)
        branch = ast.If(test, [*_assignments(names, case.pattern), *case.body], chain)
        branch = ast.copy_location(branch, around if case is cases[0] else case.pattern)
        branch.end_lineno, branch.end_col_offset = around.end_lineno, around.end_col_offset
        chain = [branch]
    return chain[0]


def _is_pure(subject: ast.expr) -> bool:
    """Whether an expression can be evaluated for each case: a dotted name, or the type of one."""
    match subject:
        case ast.Name():
            return True
        case ast.Attribute(value=inner) | ast.Call(func=ast.Name(id="type"), args=[inner], keywords=[]):
            return _is_pure(inner)
    return False


def _tests(pattern: ast.pattern, subject: ast.expr) -> Iterator[ast.expr]:
    """The tests that a value passes where a pattern matches it; all of them have to hold."""
    match pattern:
        case ast.MatchClass(cls=cls, patterns=[], kwd_attrs=names, kwd_patterns=inner):
            yield _is_instance(subject, cls, pattern)
            for name, each in zip(names, inner, strict=True):
                yield from _tests(each, _attribute(subject, name, each))
        case ast.MatchValue(value=value):
            yield _placed(ast.Compare(subject, [ast.Eq()], [value]), pattern)
        case ast.MatchSingleton(value=single):
            yield _placed(ast.Compare(subject, [ast.Is()], [_placed(ast.Constant(single), pattern)]), pattern)
        case ast.MatchOr(patterns=choices):
            yield _any(choices, subject, pattern)
        case ast.MatchAs(pattern=inner):
            if inner is not None:
                yield from _tests(inner, subject)
        case _:
            raise _KeptError


def _any(choices: Sequence[ast.pattern], subject: ast.expr, pattern: ast.pattern) -> ast.expr:
    classes = [each.cls for each in choices if isinstance(each, ast.MatchClass) and not each.kwd_attrs + each.patterns]
    if len(classes) == len(choices):
        return _is_instance(subject, _placed(ast.Tuple(classes, ast.Load()), pattern), pattern)
    values = [each.value for each in choices if isinstance(each, ast.MatchValue)]
    if len(values) == len(choices):
        among = _placed(ast.Tuple(values, ast.Load()), pattern)
        return _placed(ast.Compare(subject, [ast.In()], [among]), pattern)
    raise _KeptError


def _names(pattern: ast.pattern, subject: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """The names that a pattern binds, each with what it stands for."""
    match pattern:
        case ast.MatchAs(pattern=inner, name=name):
            if inner is not None:
                yield from _names(inner, subject)
            if name is not None:
                yield name, subject
        case ast.MatchClass(kwd_attrs=names, kwd_patterns=parts):
            for attribute, part in zip(names, parts, strict=True):
                yield from _names(part, _attribute(subject, attribute, part))


def _assignments(names: Sequence[tuple[str, ast.expr]], pattern: ast.pattern) -> Iterator[ast.stmt]:
    for name, value in names:
        yield _placed(ast.Assign([_placed(ast.Name(name, ast.Store()), pattern)], value), pattern)


def _is_instance(subject: ast.expr, cls: ast.expr, pattern: ast.pattern) -> ast.expr:
    function = _placed(ast.Name("isinstance", ast.Load()), pattern)
    return _placed(ast.Call(function, [subject, cls], []), pattern)


def _attribute(subject: ast.expr, name: str, pattern: ast.pattern) -> ast.expr:
    return _placed(ast.Attribute(subject, name, ast.Load()), pattern)


def _placed(node: Node, pattern: ast.pattern) -> Node:
    return ast.copy_location(node, pattern)
