"""What binds which name in a file, as Python's own compiler tells, or why Python does not parse it."""

from __future__ import annotations

import ast
import copy
import re
import symtable
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from initaudit.analyzer.source.snippets import FunctionNode, nodes, parameters

T = TypeVar("T")
TOO_DEEP = "nests too deep to follow"
_SECOND_MARK = "\ufeff"
"""A byte order mark behind the one that is no part of the text."""
_REFUSED = [
    (word, re.compile(pattern))
    for word, pattern in (
        ("global", r"global(?<![.\w]global)[\s\\]"),
        ("nonlocal", "nonlocal"),
        (":=", ":="),
        ("lambda", r"lambda(?<![.\w]lambda)\b"),
        ("yield", r"yield(?<![.\w]yield)\b"),
        ("await", r"await(?<![.\w]await)\b"),
        ("async", r"async(?<![.\w]async)\b"),
        ("import", r"import[\s\\(]*\*"),
        ("__future__", "__future__"),
        ("__debug__", "__debug__"),
        ("[", r"\b(?:def|class|type)\b[\s\\]+\w+[\s\\]*\["),
    )
]
"""What the tables may refuse, besides two parameters with one name: a word to look for first, and how it is written."""
_IN_STRINGS = ("(unicode error)", "(value error)", "bytes can only contain ASCII")
"""How Python begins to speak of a mistake within a string, which no newer syntax mends."""


@dataclass(frozen=True, slots=True)
class Scopes:
    """The scopes of some code. ``rows`` has the rows of its statements in the file, where these are not the table's."""

    table: symtable.SymbolTable
    rows: Mapping[int, int] = field(default_factory=dict)

    def all(self) -> Iterator[symtable.SymbolTable]:
        """Yield every scope, the outer before the inner."""
        pending = [self.table]
        while pending:
            table = pending.pop()
            yield table
            pending += reversed(table.get_children())

    def row(self, table: symtable.SymbolTable) -> int:
        """Return the row in which a scope begins, 0 for the file."""
        return 0 if table is self.table else self.rows.get(table.get_lineno(), table.get_lineno())


def scopes(text: str) -> Scopes | SyntaxError:
    """Return the scopes of some code, or why Python itself does not take it."""
    return taken(lambda text: Scopes(symtable.symtable(text, "<source>", "exec")), text)


def taken(read: Callable[[str], T], text: str) -> T | SyntaxError:
    """Return what Python makes of a text, or why it does not take it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read(text)
    except SyntaxError as error:
        if "too many nested" in error.msg:
            error.msg = TOO_DEEP
        return error
    except (RecursionError, MemoryError):
        return SyntaxError(TOO_DEEP)
    except ValueError as error:
        return SyntaxError(str(error))


def may_be_refused(text: str, functions: Iterable[FunctionNode]) -> bool:
    """Return whether Python's tables of symbols may refuse a text that its parser takes."""
    return any(word in text and pattern.search(text) for word, pattern in _REFUSED) or any(
        len({param.arg for param in params}) < len(params) for params in map(_all_parameters, functions)
    )


def _all_parameters(function: FunctionNode) -> list[ast.arg]:
    given = function.args
    return [*parameters(function), *filter(None, (given.vararg, given.kwarg))]


def is_final(text: str, fault: SyntaxError) -> bool:
    """Return whether no newer Python takes a text that this one refuses, whatever it knows of newer syntax."""
    if fault.msg == TOO_DEEP or fault.msg.startswith(_IN_STRINGS):
        return True
    return "\0" in text or text.startswith(_SECOND_MARK) or _parses(text)


def _parses(text: str) -> bool:
    """Return whether the parser takes a text, so that only the compiler refuses it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def scopes_of(body: Sequence[ast.stmt]) -> Scopes | None:
    """Return the scopes of code in a newer Python's syntax, from its trees; None when Python cannot write them down.

    The compiler asks for text: it is given the trees written anew, one statement a row, without formatted strings.
    """
    plain = [_Unformatted().visit(statement) for statement in copy.deepcopy(list(body))]
    try:
        text = ast.unparse(ast.Module(plain, []))
        written = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError):
        return None
    found = scopes(text)
    pairs = zip(_statements(body), _statements(written), strict=True)
    return (
        None if isinstance(found, SyntaxError) else Scopes(found.table, {new.lineno: old.lineno for old, new in pairs})
    )


class _Unformatted(ast.NodeTransformer):
    """Replaces each formatted string by the values in it: not every Python can nest them."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        self.generic_visit(node)
        return ast.Tuple(node.values, ast.Load())

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.expr:
        self.generic_visit(node)
        return ast.Tuple([node.value, *([node.format_spec] if node.format_spec is not None else [])], ast.Load())


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield every statement, those inside of others too."""
    return (node for statement in body for node in nodes(statement) if isinstance(node, ast.stmt))
