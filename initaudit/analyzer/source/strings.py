"""Lowers strings: plain, formatted, and written one behind the other."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, cast

from initaudit.analyzer.source.lowering import Lowering, Span, lowers

if TYPE_CHECKING:
    import libcst as cst

_ESCAPED = re.compile(r'(\\.)|"', re.DOTALL)


@lowers("SimpleString")
def _plain(to: Lowering, node: cst.SimpleString) -> ast.expr:
    return ast.Constant(ast.literal_eval(node.value), kind=_kind(node), **to.at(node))


@lowers("FormattedString", "TemplatedString")
def _formatted(to: Lowering, node: cst.FormattedString) -> ast.expr:
    span = to.at(node)
    return ast.JoinedStr(_joined(_pieces(to, node, span), None, span), **span)


@lowers("ConcatenatedString")
def _concatenated(to: Lowering, node: cst.ConcatenatedString) -> ast.expr:
    span, kind = to.at(node), _kind(node.left)
    strings = list(_strings(node))
    if all(type(each).__name__ == "SimpleString" for each in strings):
        values = [ast.literal_eval(each.value) for each in strings]  # type: ignore[attr-defined]
        return ast.Constant(type(values[0])().join(values), kind=kind, **span)
    pieces = [piece for each in strings for piece in _pieces(to, each, span)]
    return ast.JoinedStr(_joined(pieces, kind, span), **span)


def _strings(node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """Yield the strings that stand one behind the other."""
    while type(node).__name__ == "ConcatenatedString":
        yield node.left  # type: ignore[attr-defined]
        node = node.right  # type: ignore[attr-defined]
    yield node


def _kind(node: cst.BaseExpression) -> str | None:
    """Return ``"u"`` for a string with this prefix, as Python's parser notes it."""
    return "u" if getattr(node, "value", "").startswith("u") else None


def _pieces(to: Lowering, node: cst.CSTNode, span: Span) -> Iterator[str | ast.expr]:
    """Yield the text and the expressions of a string, in order."""
    if type(node).__name__ == "SimpleString":
        yield ast.literal_eval(node.value)  # type: ignore[attr-defined]
        return
    raw = "r" in node.start.lower().rstrip("\"'")  # type: ignore[attr-defined]
    yield from _parts(to, node.parts, raw, span)  # type: ignore[attr-defined]


def _parts(to: Lowering, parts: Iterable[cst.CSTNode], raw: bool, span: Span) -> Iterator[str | ast.expr]:
    for part in parts:
        if type(part).__name__.endswith("Text"):
            yield _text(part.value, raw)  # type: ignore[attr-defined]
        else:
            yield from _replaced(to, part, raw, span)  # type: ignore[arg-type]


def _replaced(to: Lowering, node: cst.FormattedStringExpression, raw: bool, span: Span) -> Iterator[str | ast.expr]:
    """Yield what stands in braces, behind its own text where an ``=`` asks for that."""
    if node.equal is not None:
        shown = (node.whitespace_before_expression, node.expression, node.whitespace_after_expression, node.equal)
        yield "".join(map(to.module.code_for_node, shown))
    conversion = ord(node.conversion) if node.conversion else -1
    if node.equal is not None and node.conversion is None and node.format_spec is None:
        conversion = ord("r")
    spec = None
    if node.format_spec is not None:
        spec = ast.JoinedStr(_joined(_parts(to, node.format_spec, raw, span), None, span), **span)
    value = ast.FormattedValue(to.expression(node.expression), conversion, spec, **span)
    yield value


def _text(text: str, raw: bool) -> str:
    """Return what the text between two pairs of braces stands for."""
    text = text.replace("{{", "{").replace("}}", "}")
    if raw or "\\" not in text:
        return text
    quoted = _ESCAPED.sub(lambda match: match[1] or '\\"', text)
    return str(ast.literal_eval(f'"""{quoted}"""'))


def _joined(pieces: Iterable[str | ast.expr], kind: str | None, span: Span) -> list[ast.expr]:
    """Return pieces as Python's parser has them: text that follows text is one constant, and none is empty."""
    found: list[ast.expr] = []
    for is_text, run in itertools.groupby(pieces, lambda piece: isinstance(piece, str)):
        if not is_text:
            found += cast("Iterable[ast.expr]", run)
        elif text := "".join(cast("Iterable[str]", run)):
            found.append(ast.Constant(text, kind=kind, **span))
    return found
