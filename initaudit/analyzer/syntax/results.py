"""The result of a call: a new tensor that does not affect its arguments, or a write in place."""

from __future__ import annotations

import ast

from initaudit.analyzer.snippets import dotted, nodes

OUT_OF_PLACE = {
    "clamp", "clip", "mul", "div", "add", "sub", "neg", "abs", "exp", "sqrt", "pow", "masked_fill", "index_fill",
    "fill", "copy", "normal", "uniform", "zero", "multiply", "divide", "true_divide", "subtract", "negative", "rsqrt",
    "reciprocal", "clamp_min", "clamp_max", "where", "masked_scatter", "scatter", "index_copy", "lerp", "sign", "tanh",
    "sigmoid", "relu", "bernoulli", "fill_diagonal", "tril", "triu", "round", "floor", "ceil", "addcmul", "addcdiv",
}  # fmt: skip
"""Functions and methods of a tensor that give back a new one of its size, and have a form that writes in place."""


def writes_in_place(node: ast.expr) -> bool:
    """Whether something in an expression may write in place, by its name (``zero_``, ``init_weights``, ``out=``)."""
    for inner in nodes(node):
        if isinstance(inner, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom):
            return True
        if isinstance(inner, ast.Call):
            name = inner.func.attr if isinstance(inner.func, ast.Attribute) else dotted(inner.func)
            if name.endswith("_") or "init" in name or any(keyword.arg == "out" for keyword in inner.keywords):
                return True
    return False
