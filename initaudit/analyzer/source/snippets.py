"""Slices of a file as syntax trees of Python's ``ast``, one function or class header at a time.

They know no spelling: a node's text is looked up in the file. Every position is a position in the real file.
A choice by ``match`` is one by ``if``, wherever a simple test says the same.
"""

from __future__ import annotations

import ast
import functools
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from initaudit.analyzer.source.cases import chosen_by_tests
from initaudit.finding import Place

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_MATCH = re.compile(r"^[ \t\f]*match\b(?!\s*[=.,:)\]])", re.MULTILINE)
"""What a statement by `match` begins with, which is the first of its line."""


class SnippetError(Exception):
    """A slice that does not parse on its own."""


def statements(text: str) -> Sequence[ast.stmt]:
    """Read a text with Python's own parser; raises what that raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text).body


def chosen(body: Sequence[ast.stmt], text: str) -> Sequence[ast.stmt]:
    """Return the statements of a text without choices by ``match``, as far as tests stand for them."""
    chooses = "match" in text and _MATCH.search(text) is not None
    return chosen_by_tests(body) if chooses else body


def parsed(text: str) -> Sequence[ast.stmt]:
    """Read a text with Python's own parser; raises SnippetError when that does not know it as Python."""
    try:
        return statements(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SnippetError(str(error)) from error


class Snippet:
    """The statements in the rows ``start`` to ``end`` of a file, whose trees count rows from ``shift``."""

    def __init__(
        self, filename: str, lines: Sequence[str], start: int, end: int, body: Sequence[ast.stmt], shift: int = 0
    ) -> None:
        self.filename = filename
        self.start, self.end = start, end
        self.body = body
        self._lines = lines
        self._shift = shift
        self.memory: dict[str, Any] = {}  # results of readers from the tree, as long as it is kept

    @functools.cached_property
    def nodes(self) -> Sequence[ast.AST]:
        """Every node, in the order of the source; found once for all who look for something."""
        return [node for statement in self.body for node in nodes(statement)]

    @functools.cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The node around each node."""
        return {child: node for node in self.nodes for child in inner_nodes(node)}

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the nodes around one, the innermost first."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def place(self, node: ast.AST) -> Place:
        """Where a node of this slice stands in the file."""
        row, column, end_row, end_column = self._span(node)
        return Place(self.filename, row, column + 1, end_row, end_column + 1)

    def source(self, node: ast.AST, last: ast.AST | None = None) -> str:
        """The node's text to be shown, or that from the begin of one node to the end of the ``last``: in one line."""
        row, column, end_row, end_column = self._span(node)
        if last is not None:
            _, _, end_row, end_column = self._span(last)
        if row == end_row:
            return self._lines[row - 1][column:end_column]
        if last is None:
            return ast.unparse(node)
        lines = self._lines[row - 1 : end_row]
        return " ".join(line.strip(" \t\\") for line in (lines[0][column:], *lines[1:-1], lines[-1][:end_column]))

    def _span(self, node: ast.AST) -> tuple[int, int, int, int]:
        """The rows of the file and the columns, in code points from 0, at which a node begins and ends."""
        row = getattr(node, "lineno", 1) + self._shift
        end_row = getattr(node, "end_lineno", 1) + self._shift
        return (
            row,
            _code_points(self._lines[row - 1], getattr(node, "col_offset", 0)),
            end_row,
            _code_points(self._lines[end_row - 1], getattr(node, "end_col_offset", 0)),
        )


def cut(
    filename: str,
    lines: Sequence[str],
    start: int,
    end: int,
    parse: Callable[[str], Sequence[ast.stmt]] = parsed,
) -> Snippet:
    """Parse some rows by themselves; raises SnippetError when they cannot be.

    An indented slice stands under a header of its own (``if 1:``), which shifts rows by one and leaves columns alone.
    """
    text = "\n".join(lines[start - 1 : end]) + "\n"
    if text[:1] not in " \t":
        return Snippet(filename, lines, start, end, chosen(parse(text), text), start - 1)
    body = chosen(parse(f"if 1:\n{text}"), text)
    return Snippet(filename, lines, start, end, body[0].body if isinstance(body[0], ast.If) else body, start - 2)


def _code_points(line: str, offset: int) -> int:
    """Python counts columns in bytes of UTF-8."""
    return offset if line.isascii() else len(line.encode()[:offset].decode(errors="replace"))


def nodes(root: ast.AST) -> Iterator[ast.AST]:
    """A node and every node below it, in the order of the source, without the contexts of names."""
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        for name in _INNER[type(node)]:
            value = getattr(node, name, None)
            if value.__class__ is list:
                pending += [each for each in reversed(value) if each.__class__ not in _LEAVES]
            elif value.__class__ not in _LEAVES:
                pending.append(value)  # type: ignore[arg-type]


def inner_nodes(node: ast.AST) -> list[ast.AST]:
    """The nodes right below one, without the contexts of names."""
    found: list[ast.AST] = []
    for name in reversed(_INNER[type(node)]):
        value = getattr(node, name, None)
        if value.__class__ is list:
            found += [each for each in value if each.__class__ not in _LEAVES]
        elif value.__class__ not in _LEAVES:
            found.append(value)  # type: ignore[arg-type]
    return found


_PLAIN = {"ctx", "id", "attr", "arg", "name", "asname", "module", "level", "kind", "type_comment", "simple"}
"""Fields that hold names, numbers and contexts."""
_LEAVES = {type(None), str, int, bool}
"""What the other fields hold besides nodes."""


class _Fields(dict[type[ast.AST], tuple[str, ...]]):
    """By the kind of a node, the fields that may hold others, the last first."""

    def __missing__(self, kind: type[ast.AST]) -> tuple[str, ...]:
        of_alias = kind.__name__ == "TypeAlias"  # whose name is a node
        names = () if kind is ast.Constant else kind._fields
        self[kind] = found = tuple(
            each for each in reversed(names) if each not in _PLAIN or (of_alias and each == "name")
        )
        return found


_INNER = _Fields()


def begin(node: ast.expr | ast.stmt) -> tuple[float, int]:
    """Where a node begins, to be compared with another position of the same snippet."""
    return node.lineno, node.col_offset


def end(node: ast.expr | ast.stmt) -> tuple[float, int]:
    """Where a node ends."""
    return node.end_lineno or node.lineno, node.end_col_offset or 0


def dotted(node: ast.expr) -> str:
    """The text of a dotted name."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def last_name(node: ast.AST) -> str:
    """Return the name itself, or that behind the last dot."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def root(node: ast.expr, *, calls: bool = False) -> ast.Name | None:
    """The variable that an expression begins with: ``self`` of ``self.fc[0].weight``.

    With ``calls``, also that of what a method is called on, or of what a function is given first.
    """
    while True:
        match node:
            case ast.Attribute(value=inner) | ast.Subscript(value=inner):
                node = inner
            case ast.Starred(value=inner) | ast.Call(func=ast.Attribute(value=inner)) if calls:
                node = inner
            case ast.Call(args=[inner, *_]) if calls:
                node = inner
            case _:
                return node if isinstance(node, ast.Name) else None


def argument(call: ast.Call | None, at: int, name: str) -> ast.expr | None:
    """What a call passes for a parameter, by its place or its name; None where that is not known."""
    if call is None or any(isinstance(each, ast.Starred) for each in call.args):
        return None
    named = (each.value for each in call.keywords if each.arg == name)
    return call.args[at] if 0 <= at < len(call.args) else next(named, None)


def handed_on(node: ast.expr) -> ast.expr:
    """The function that is called in the end: ``f`` of ``partial(f, std=1)`` and of ``lambda m: f(m, 1)``."""
    match node:
        case ast.Call(func=ast.Name(id="partial") | ast.Attribute(attr="partial"), args=[function, *_]):
            return function
        case ast.Lambda(
            args=ast.arguments(args=[ast.arg(arg=name)]), body=ast.Call(func=function, args=[ast.Name(id=given), *_])
        ) if given == name:
            return function
    return node


def alternatives(kinds: ast.expr) -> Iterator[ast.expr]:
    """The classes of ``(A, B)`` or ``A | B``."""
    match kinds:
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            inner = [left, right]
        case ast.Tuple(elts=inner) | ast.List(elts=inner) | ast.Set(elts=inner):
            pass
        case _:
            yield kinds
            return
    for each in inner:
        yield from alternatives(each)


def spelled(node: ast.expr) -> str:
    """The text of an expression as one writes it, however it is laid out."""
    name = dotted(node) if isinstance(node, ast.Attribute | ast.Name) else ""
    return ast.unparse(node) if not name or name.startswith(".") or ".." in name else name


def has_decorator(node: FunctionNode, *names: str) -> bool:
    """Whether a function has a decorator whose last name is one of these."""
    for decorator in node.decorator_list:
        inner = decorator.func if isinstance(decorator, ast.Call) else decorator
        if last_name(inner) in names:
            return True
    return False


def parameters(node: FunctionNode | ast.Lambda) -> list[ast.arg]:
    """The parameters of a function that have a place or a name of their own, in order."""
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def defaults(arguments: ast.arguments) -> dict[str, ast.expr]:
    """The default values of parameters, by name."""
    positional = [*arguments.posonlyargs, *arguments.args]
    first = len(positional) - len(arguments.defaults)
    found = {param.arg: value for param, value in zip(positional[first:], arguments.defaults, strict=True)}
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return found | {param.arg: value for param, value in named if value is not None}
