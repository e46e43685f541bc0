"""The result of a call: a new tensor that does not affect its arguments, or a write in place."""

from __future__ import annotations

import ast

from initaudit.analyzer.snippets import dotted, nodes

IN_PLACE_FORMS = {
    "abs", "absolute", "acos", "acosh", "add", "addbmm", "addcdiv", "addcmul", "addmm", "addmv", "addr", "arccos",
    "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh", "atan", "atan2", "atanh",
    "baddbmm", "bernoulli", "ceil", "clamp", "clamp_max", "clamp_min", "clip", "conj_physical", "copysign", "cos",
    "cosh", "cumprod", "cumsum", "deg2rad", "digamma", "div", "divide", "erf", "erfc", "erfinv", "exp", "exp2",
    "expm1", "fix", "float_power", "floor", "floor_divide", "fmod", "frac", "gcd", "heaviside", "hypot", "i0",
    "igamma", "igammac", "index_add", "index_copy", "index_fill", "index_put", "index_reduce", "lcm", "ldexp", "lerp",
    "lgamma", "log", "log10", "log1p", "log2", "logit", "masked_fill", "masked_scatter", "mul", "multiply", "mvlgamma",
    "nan_to_num", "neg", "negative", "nextafter", "polygamma", "pow", "put", "rad2deg", "reciprocal", "relu",
    "remainder", "renorm", "round", "rsqrt", "scatter", "scatter_add", "scatter_reduce", "sgn", "sigmoid", "sign",
    "sin", "sinc", "sinh", "sqrt", "square", "sub", "subtract", "tan", "tanh", "tril", "triu", "true_divide", "trunc",
    "xlogy",
}  # fmt: skip
"""Methods that compute new values of a tensor and that torch also has in place, under a name that ends with ``_``."""
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
            name = inner.func.attr if isinstance(inner.func, ast.Attribute) else dotted(inner.func)
            if name.endswith("_") or "init" in name or any(each.arg in ("out", "inplace") for each in inner.keywords):
                return True
    return False
