"""Lowers the patterns of ``match``."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from initaudit.analyzer.source.expressions import CONSTANTS
from initaudit.analyzer.source.lowering import Lowering, lowers

if TYPE_CHECKING:
    import libcst as cst


@lowers("MatchValue")
def _value(to: Lowering, node: cst.MatchValue) -> ast.pattern:
    return ast.MatchValue(to.expression(node.value), **to.at(node.value))


@lowers("MatchSingleton")
def _singleton(to: Lowering, node: cst.MatchSingleton) -> ast.pattern:
    return ast.MatchSingleton(CONSTANTS[node.value.value], **to.at(node))


@lowers("MatchSequenceElement")
def _element(to: Lowering, node: cst.MatchSequenceElement) -> ast.pattern:
    return to.pattern(node.value)


@lowers("MatchStar")
def _starred(to: Lowering, node: cst.MatchStar) -> ast.pattern:
    name = None if node.name is None else node.name.value
    return ast.MatchStar(name, **(to.at(node) if node.name is None else to.between(node, node.name)))


@lowers("MatchList", "MatchTuple")
def _sequence(to: Lowering, node: cst.MatchList | cst.MatchTuple) -> ast.pattern:
    brackets = type(node).__name__ == "MatchList"
    span = to.at(node) if brackets else to.inside_parentheses(node)
    return ast.MatchSequence([to.pattern(each) for each in node.patterns], **span)


@lowers("MatchMapping")
def _mapping(to: Lowering, node: cst.MatchMapping) -> ast.pattern:
    keys = [to.expression(each.key) for each in node.elements]
    patterns = [to.pattern(each.pattern) for each in node.elements]
    return ast.MatchMapping(keys, patterns, None if node.rest is None else node.rest.value, **to.at(node))


@lowers("MatchClass")
def _class(to: Lowering, node: cst.MatchClass) -> ast.pattern:
    return ast.MatchClass(
        to.expression(node.cls),
        [to.pattern(each) for each in node.patterns],
        [each.key.value for each in node.kwds],
        [to.pattern(each.pattern) for each in node.kwds],
        **to.at(node),
    )


@lowers("MatchAs")
def _bound(to: Lowering, node: cst.MatchAs) -> ast.pattern:
    pattern = None if node.pattern is None else to.pattern(node.pattern)
    return ast.MatchAs(pattern, None if node.name is None else node.name.value, **to.at(node))


@lowers("MatchOr")
def _either(to: Lowering, node: cst.MatchOr) -> ast.pattern:
    return ast.MatchOr([to.pattern(each.pattern) for each in node.patterns], **to.at(node))
