"""Lowers expressions, arguments and parameters."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from initaudit.analyzer.source.lowering import LOAD, Lowering, lowers

if TYPE_CHECKING:
    import libcst as cst

CONSTANTS = {"True": True, "False": False, "None": None}
BINARY: dict[str, type[ast.operator]] = {
    "Add": ast.Add,
    "Subtract": ast.Sub,
    "Multiply": ast.Mult,
    "Divide": ast.Div,
    "FloorDivide": ast.FloorDiv,
    "Modulo": ast.Mod,
    "Power": ast.Pow,
    "LeftShift": ast.LShift,
    "RightShift": ast.RShift,
    "BitOr": ast.BitOr,
    "BitAnd": ast.BitAnd,
    "BitXor": ast.BitXor,
    "MatrixMultiply": ast.MatMult,
}
UNARY: dict[str, type[ast.unaryop]] = {
    "Plus": ast.UAdd,
    "Minus": ast.USub,
    "BitInvert": ast.Invert,
    "Not": ast.Not,
}
COMPARED: dict[str, type[ast.cmpop]] = {
    "LessThan": ast.Lt,
    "GreaterThan": ast.Gt,
    "Equal": ast.Eq,
    "LessThanEqual": ast.LtE,
    "GreaterThanEqual": ast.GtE,
    "NotEqual": ast.NotEq,
    "In": ast.In,
    "NotIn": ast.NotIn,
    "Is": ast.Is,
    "IsNot": ast.IsNot,
}


@lowers("Name")
def _name(to: Lowering, node: cst.Name) -> ast.expr:
    if node.value in CONSTANTS:
        return ast.Constant(CONSTANTS[node.value], kind=None, **to.at(node))
    return ast.Name(node.value, LOAD, **to.at(node))


@lowers("Ellipsis")
def _ellipsis(to: Lowering, node: cst.Ellipsis) -> ast.expr:
    return ast.Constant(..., kind=None, **to.at(node))


@lowers("Integer", "Float", "Imaginary")
def _number(to: Lowering, node: cst.Integer | cst.Float | cst.Imaginary) -> ast.expr:
    return ast.Constant(ast.literal_eval(node.value), kind=None, **to.at(node))


@lowers("Attribute")
def _attribute(to: Lowering, node: cst.Attribute) -> ast.expr:
    return ast.Attribute(to.expression(node.value), node.attr.value, LOAD, **to.at(node))


@lowers("UnaryOperation")
def _unary(to: Lowering, node: cst.UnaryOperation) -> ast.expr:
    return ast.UnaryOp(UNARY[type(node.operator).__name__](), to.expression(node.expression), **to.at(node))


@lowers("BinaryOperation")
def _binary(to: Lowering, node: cst.BinaryOperation) -> ast.expr:
    operator = BINARY[type(node.operator).__name__]()
    return ast.BinOp(to.expression(node.left), operator, to.expression(node.right), **to.at(node))


@lowers("BooleanOperation")
def _boolean(to: Lowering, node: cst.BooleanOperation) -> ast.expr:
    """A chain of one operator is one node; parentheses begin another."""
    kind = type(node.operator)
    operands = [node.right]
    left = node.left
    while type(left).__name__ == "BooleanOperation" and not left.lpar and type(left.operator) is kind:  # type: ignore[attr-defined]
        operands.append(left.right)  # type: ignore[attr-defined]
        left = left.left  # type: ignore[attr-defined]
    operands.append(left)
    operator = ast.And() if kind.__name__ == "And" else ast.Or()
    return ast.BoolOp(operator, [to.expression(each) for each in reversed(operands)], **to.at(node))


@lowers("Comparison")
def _comparison(to: Lowering, node: cst.Comparison) -> ast.expr:
    operators = [COMPARED[type(each.operator).__name__]() for each in node.comparisons]
    others = [to.expression(each.comparator) for each in node.comparisons]
    return ast.Compare(to.expression(node.left), operators, others, **to.at(node))


@lowers("IfExp")
def _conditional(to: Lowering, node: cst.IfExp) -> ast.expr:
    test, body, other = to.expression(node.test), to.expression(node.body), to.expression(node.orelse)
    return ast.IfExp(test, body, other, **to.at(node))


@lowers("NamedExpr")
def _named(to: Lowering, node: cst.NamedExpr) -> ast.expr:
    target = to.target(node.target)
    assert isinstance(target, ast.Name)
    return ast.NamedExpr(target, to.expression(node.value), **to.at(node))


@lowers("Await")
def _awaited(to: Lowering, node: cst.Await) -> ast.expr:
    return ast.Await(to.expression(node.expression), **to.at(node))


@lowers("Yield")
def _yielded(to: Lowering, node: cst.Yield) -> ast.expr:
    if node.value is not None and type(node.value).__name__ == "From":
        return ast.YieldFrom(to.expression(node.value.item), **to.at(node))  # type: ignore[union-attr]
    return ast.Yield(to.optional(node.value), **to.at(node))


# Calls, subscripts and lambdas


@lowers("Call")
def _call(to: Lowering, node: cst.Call) -> ast.expr:
    positional, keywords = arguments(to, node.args)
    match positional, node.args:
        case [ast.GeneratorExp() as alone], [given] if not given.value.lpar:
            _span_parentheses(to, alone, node)
    return ast.Call(to.expression(node.func), positional, keywords, **to.at(node))


def _span_parentheses(to: Lowering, alone: ast.GeneratorExp, node: cst.Call) -> None:
    """A generator that is the only argument of a call has the parentheses of that as its own."""
    ends, whole = to.ends(node.func), to.at(node)
    row, column = ends.line, to.lines[ends.line - 1].find("(", ends.column)
    while column < 0:
        row += 1
        column = to.lines[row - 1].find("(")
    alone.lineno, alone.col_offset = row, len(to.lines[row - 1][:column].encode())
    alone.end_lineno, alone.end_col_offset = whole["end_lineno"], whole["end_col_offset"]


def arguments(to: Lowering, given: Sequence[cst.Arg]) -> tuple[list[ast.expr], list[ast.keyword]]:
    """Lower what a call or a class statement is given."""
    positional: list[ast.expr] = []
    keywords: list[ast.keyword] = []
    for each in given:
        value = to.expression(each.value)
        if each.keyword is not None:
            keywords.append(ast.keyword(each.keyword.value, value, **to.between(each, each.value)))
        elif each.star == "**":
            keywords.append(ast.keyword(None, value, **to.between(each, each.value)))
        elif each.star:
            positional.append(ast.Starred(value, LOAD, **to.between(each, each.value)))
        else:
            positional.append(value)
    return positional, keywords


@lowers("Subscript")
def _subscript(to: Lowering, node: cst.Subscript) -> ast.expr:
    parts = [to.expression(each.slice) for each in node.slice]
    index, comma = parts[0], node.slice[-1].comma
    if len(parts) > 1 or isinstance(index, ast.Starred) or type(comma).__name__ == "Comma":
        first, last = node.slice[0], comma if type(comma).__name__ == "Comma" else _last_token(node.slice[-1].slice)
        span = to.between(first, last)  # type: ignore[arg-type]
        index = ast.Tuple(parts, LOAD, **span)
    return ast.Subscript(to.expression(node.value), index, LOAD, **to.at(node))


@lowers("Index")
def _index(to: Lowering, node: cst.Index) -> ast.expr:
    value = to.expression(node.value)
    if getattr(node, "star", None):
        return ast.Starred(value, LOAD, **to.between(node, node.value))
    return value


@lowers("Slice")
def _sliced(to: Lowering, node: cst.Slice) -> ast.expr:
    bounds = to.optional(node.lower), to.optional(node.upper), to.optional(node.step)
    first = node.lower if node.lower is not None else node.first_colon
    return ast.Slice(*bounds, **to.between(first, _last_token(node)))


def _last_token(node: cst.BaseSlice) -> cst.CSTNode:
    """Return what a part of a subscript ends with."""
    if type(node).__name__ == "Index":
        value: cst.CSTNode = cast("cst.Index", node).value
        return value
    parts = (node.first_colon, node.upper, node.second_colon, node.step)  # type: ignore[attr-defined]
    present = [each for each in parts if each is not None and type(each).__name__ != "MaybeSentinel"]
    return cast("cst.CSTNode", present[-1])


@lowers("Lambda")
def _anonymous(to: Lowering, node: cst.Lambda) -> ast.expr:
    return ast.Lambda(parameters(to, node.params), to.expression(node.body), **to.at(node))


def parameters(to: Lowering, given: cst.Parameters) -> ast.arguments:
    """Lower the parameters of a function."""
    positional = [*given.posonly_params, *given.params]
    star = given.star_arg if type(given.star_arg).__name__ == "Param" else None
    return ast.arguments(
        posonlyargs=[_parameter(to, each) for each in given.posonly_params],
        args=[_parameter(to, each) for each in given.params],
        vararg=None if star is None else _parameter(to, star),  # type: ignore[arg-type]
        kwonlyargs=[_parameter(to, each) for each in given.kwonly_params],
        kw_defaults=[to.optional(each.default) for each in given.kwonly_params],
        kwarg=None if given.star_kwarg is None else _parameter(to, given.star_kwarg),
        defaults=[to.expression(each.default) for each in positional if each.default is not None],
    )


def _parameter(to: Lowering, node: cst.Param) -> ast.arg:
    note = node.annotation.annotation if node.annotation is not None else None
    span = to.between(node.name, node.name if note is None else note)
    return ast.arg(node.name.value, to.optional(note), type_comment=None, **span)


# Containers and comprehensions


@lowers("Element")
def _element(to: Lowering, node: cst.Element) -> ast.expr:
    return to.expression(node.value)


@lowers("StarredElement")
def _starred(to: Lowering, node: cst.StarredElement) -> ast.expr:
    return ast.Starred(to.expression(node.value), LOAD, **to.between(node, node.value))


@lowers("Tuple")
def _tuple(to: Lowering, node: cst.Tuple) -> ast.expr:
    return ast.Tuple([to.expression(each) for each in node.elements], LOAD, **to.inside_parentheses(node))


@lowers("List")
def _list(to: Lowering, node: cst.List) -> ast.expr:
    return ast.List([to.expression(each) for each in node.elements], LOAD, **to.at(node))


@lowers("Set")
def _set(to: Lowering, node: cst.Set) -> ast.expr:
    return ast.Set([to.expression(each) for each in node.elements], **to.at(node))


@lowers("Dict")
def _dict(to: Lowering, node: cst.Dict) -> ast.expr:
    keys = [to.optional(getattr(each, "key", None)) for each in node.elements]
    return ast.Dict(keys, [to.expression(each.value) for each in node.elements], **to.at(node))


@lowers("ListComp")
def _list_comprehension(to: Lowering, node: cst.ListComp) -> ast.expr:
    return ast.ListComp(to.expression(node.elt), generators(to, node.for_in), **to.at(node))


@lowers("SetComp")
def _set_comprehension(to: Lowering, node: cst.SetComp) -> ast.expr:
    return ast.SetComp(to.expression(node.elt), generators(to, node.for_in), **to.at(node))


@lowers("GeneratorExp")
def _generator(to: Lowering, node: cst.GeneratorExp) -> ast.expr:
    return ast.GeneratorExp(to.expression(node.elt), generators(to, node.for_in), **to.inside_parentheses(node))


@lowers("DictComp")
def _dict_comprehension(to: Lowering, node: cst.DictComp) -> ast.expr:
    key, value = to.expression(node.key), to.expression(node.value)
    return ast.DictComp(key, value, generators(to, node.for_in), **to.at(node))


def generators(to: Lowering, node: cst.CompFor | None) -> list[ast.comprehension]:
    """Lower each ``for`` of a comprehension, with its conditions."""
    found: list[ast.comprehension] = []
    while node is not None:
        target, iterated = to.target(node.target), to.expression(node.iter)
        tests = [to.expression(each.test) for each in node.ifs]
        found.append(ast.comprehension(target, iterated, tests, int(node.asynchronous is not None)))
        node = node.inner_for_in
    return found
