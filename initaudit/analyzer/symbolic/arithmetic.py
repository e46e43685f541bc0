"""Binary operations: folded where both sides are known, else a text that is the same for the same operation."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Any

from initaudit.analyzer.symbolic import tensors
from initaudit.analyzer.symbolic.run import Run
from initaudit.analyzer.symbolic.values import (
    UNKNOWN,
    Choice,
    Constant,
    Sequence,
    Signal,
    Symbol,
    Tensor,
    Value,
    constant,
    joined,
    leaves,
    text,
)

ARITHMETIC: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("**", operator.pow),
}
LARGEST = 1e15
WIDE = re.compile(r"[0-9]{4}|\*")


def binary(run: Run, kind: type[ast.operator], left: Value, right: Value) -> Value:
    """A binary operation, folded where both sides are known."""
    sign, function = ARITHMETIC.get(kind, (kind.__name__, None))
    if isinstance(left, Constant) and isinstance(right, Constant) and function is not None:
        return _folded(function, left.value, right.value)
    if isinstance(left, Sequence) and isinstance(right, Sequence) and kind is ast.Add:
        return joined(left.items, right.items, complete=left.complete and right.complete, is_list=left.is_list)
    if isinstance(left, Sequence) and kind is ast.Mult:
        if isinstance(right, Constant) and isinstance(right.value, int) and right.value <= 16:
            return joined([], left.items * right.value, complete=left.complete, is_list=left.is_list)
        return Sequence(left.items, False, left.is_list)
    if isinstance(left, Signal) or isinstance(right, Signal):
        signal = left if isinstance(left, Signal) else right
        both = isinstance(left, Signal) and isinstance(right, Signal | type(UNKNOWN) | Symbol)
        return Signal(None, None, True) if both else signal
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return _scaled(run, kind, left, right) or tensors.computed(run, left, right)
    if isinstance(left, Constant | Symbol) and isinstance(right, Constant | Symbol):
        if kind is ast.Mult:
            left, right = (right, left) if isinstance(right, Constant) else (left, right)
            if left in (Constant(0), Constant(1)):
                return right if left == Constant(1) else left
        fraction = any(isinstance(each, Constant) and isinstance(each.value, float) for each in (left, right))
        if not fraction and (kind in (ast.FloorDiv, ast.Mult, ast.Mod, ast.Sub) or isinstance(right, Constant)):
            run.integer(left)
            run.integer(right)
        result = Symbol(f"({text(left)} {sign} {text(right)})")
        operands = {text(left), text(right)} - {text(v) for v in (left, right) if _is_integer_constant(v)}
        if kind is not ast.Div and operands <= run.integers:
            run.integers.add(result.text)
        return result
    return UNKNOWN


def _scaled(run: Run, kind: type[ast.operator], left: Value, right: Value) -> Value | None:
    """Values that were just drawn, times or divided by a number."""
    tensor, other = (right, left) if isinstance(right, Tensor) and kind is ast.Mult else (left, right)
    if isinstance(other, Choice):
        computed = [leaf for _, leaf in leaves(other, run.condition) if isinstance(leaf, Symbol) and "(" in leaf.text]
        other = computed[0] if len(computed) == 1 else other  # what the code computes, and not what it is given
    if not isinstance(tensor, Tensor) or not isinstance(other, Constant | Symbol) or kind not in (ast.Mult, ast.Div):
        return None
    return tensors.scaled(run, tensor, text(other) if kind is ast.Mult else f"1 / ({text(other)})")


def _is_integer_constant(value: Value) -> bool:
    return isinstance(value, Constant) and isinstance(value.value, int)


def _folded(function: Callable[[Any, Any], Any], left: Any, right: Any) -> Value:
    """The result of an operation on constants, unless it is huge or an error."""
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if numbers and function is operator.pow and (abs(left) > 1e6 or abs(right) > 64):
        return UNKNOWN
    if not numbers and (function is operator.mul or (function is operator.mod and _pads(left))):
        return UNKNOWN
    try:
        result = function(left, right)
    except (ArithmeticError, TypeError, ValueError):
        return UNKNOWN
    if isinstance(result, complex) or (isinstance(result, int | float) and not abs(result) < LARGEST):
        return UNKNOWN
    return constant(result)


def _pads(form: object) -> bool:
    """Whether a format string has a width, which may be of any size."""
    written = form.decode("latin-1") if isinstance(form, bytes) else form
    return isinstance(written, str) and WIDE.search(written) is not None


def number(value: Value) -> float | None:
    """A finite number, if the value is one."""
    if isinstance(value, Constant) and isinstance(value.value, int | float) and not isinstance(value.value, bool):
        return float(value.value) if math.isfinite(value.value) else None
    return None
