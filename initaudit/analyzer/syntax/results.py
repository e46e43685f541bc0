"""The result of a call: a new tensor that does not affect its arguments, or a write in place."""

from __future__ import annotations

import ast

from initaudit.analyzer.source.snippets import last_name, nodes
from initaudit.analyzer.torch_api import IN_PLACE_FORMS

ONLY_IN_PLACE = {"copy", "fill", "fill_diagonal", "normal", "uniform", "zero"}
"""What people write for methods that a tensor has only in place."""
OUT_OF_PLACE = IN_PLACE_FORMS | ONLY_IN_PLACE | {
    "alpha_dropout", "celu", "dropout", "elu", "hardshrink", "hardtanh", "leaky_relu", "log_softmax", "normalize",
    "prelu", "rrelu", "selu", "softmax", "softplus", "softshrink", "tanhshrink", "threshold", "where",
}  # fmt: skip
"""Functions and methods that return a new tensor of the size of one that they are given."""


def makes_new(function: str) -> bool:
    """Whether a function of torch, by its canonical name, is one of these."""
    of_torch, _, name = function.partition("torch.")
    return not of_torch and name.removeprefix("nn.functional.") in OUT_OF_PLACE


def writes_in_place(node: ast.expr) -> bool:
    """Whether something in an expression may write in place, by its name (``zero_``, ``init_weights``, ``out=``)."""
    for inner in nodes(node):
        if isinstance(inner, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom):
            return True
        if isinstance(inner, ast.Call):
            name = last_name(inner.func)
            if name.endswith("_") or "init" in name or any(each.arg in ("out", "inplace") for each in inner.keywords):
                return True
    return False
