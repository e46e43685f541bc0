"""Whether an expression surely makes a tensor of whole numbers or truth values, which cannot require a gradient."""

from __future__ import annotations

import ast

from initaudit.analyzer import torch_api
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.numbers import is_whole_number

TYPES = {f"torch.{name}" for name in ("bool", "int", "long", "short", "uint8", "int8", "int16", "int32", "int64")}
CONVERSIONS = {"bool", "byte", "char", "int", "long", "short"}
KEEP_THE_TYPE = {
    "clone", "contiguous", "cpu", "cuda", "detach", "expand", "flatten", "flip", "permute", "repeat", "reshape",
    "squeeze", "t", "tile", "transpose", "unsqueeze", "view",
}  # fmt: skip
DRAW_INTEGERS = {"torch.randint", "torch.randperm"}
SIZED = {f"torch.{name}" for name in ("empty", "eye", "ones", "rand", "randn", "zeros")}
"""Functions that make floating-point numbers unless they are told another type."""


def holds_integers(context: Context, node: ast.expr) -> bool:
    """Whether a tensor has a type of whole numbers or truth values, whatever the names in its expression stand for."""
    match node:
        case ast.Name(id=name):
            stored = (each for each in context.named(name) if isinstance(each.ctx, ast.Store))
            given = [context.snippet.parents.get(each) for each in stored]
            match given:
                case [ast.Assign(targets=[ast.Name()], value=value)]:
                    return holds_integers(context, value)
            return False
        case ast.Call(func=ast.Attribute(value=owner, attr=method)) if context.canonical(node.func) is None:
            return method in CONVERSIONS or (method in KEEP_THE_TYPE and holds_integers(context, owner))
        case ast.Call(func=function, args=args, keywords=keywords):
            if any(isinstance(each, ast.Starred) for each in args) or any(each.arg is None for each in keywords):
                return False
            named = {each.arg: each.value for each in keywords}
            return _makes_integers(context, context.canonical(function) or "", args, named)
    return False


def _makes_integers(context: Context, made: str, args: list[ast.expr], named: dict[str | None, ast.expr]) -> bool:
    if (asked := named.get("dtype")) is not None:
        return made in torch_api.NEW_TENSOR_FACTORIES | SIZED and _is_type_of_integers(context, asked)
    if made in torch_api.LEGACY_CONSTRUCTORS:
        return torch_api.LEGACY_CONSTRUCTORS[made] in TYPES
    match made, args:
        case "torch.full", [_, value]:
            return _is_literal(value)
        case "torch.full", [_]:
            return _is_literal(named.get("fill_value"))
        case "torch.arange", [_, *_]:
            return all(_is_whole(context, each) for each in args)
        case "torch.tensor", [data]:
            return _is_literal(data)
    return made in DRAW_INTEGERS


def _is_type_of_integers(context: Context, asked: ast.expr) -> bool:
    if isinstance(asked, ast.Name) and asked.id in ("int", "bool"):
        return True
    return context.canonical(asked) in TYPES


def _is_whole(context: Context, node: ast.expr) -> bool:
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            return not isinstance(op, ast.Div) and _is_whole(context, left) and _is_whole(context, right)
    return is_whole_number(context, node)


def _is_literal(node: ast.expr | None) -> bool:
    """Whether an expression is a whole number or a truth value, or a list of such."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, int)
        case ast.UnaryOp(operand=operand):
            return _is_literal(operand)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return bool(items) and all(map(_is_literal, items))
    return False
