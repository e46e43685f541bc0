"""Fold arithmetic in source code: ``math.sqrt(2.0 / (fan_in + fan_out))`` is 1.414 * (...)^-0.5.

What is folded keeps its value: a term, evaluated, is what Python would have computed, up to rounding. Names stand for
positive numbers, and a call or a subscript is a name too, which has the same value wherever it stands.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping

import msgspec

from initaudit.schemes.gains import calculate_gain

DEEPEST = 40
"""Maximum nesting of operators that are folded."""


class Term(msgspec.Struct, frozen=True):
    """``coefficient`` times the product of some bases, each to its power, in the order of their text."""

    coefficient: float
    powers: tuple[Power, ...] = ()

    @property
    def number(self) -> float | None:
        """Its value, when nothing in it is unknown."""
        return None if self.powers else self.coefficient

    def value(self, names: Mapping[str, float]) -> float:
        """Its value where the names stand for these numbers."""
        return self.coefficient * math.prod(factor.value(names) for factor in self.powers)


class Sum(msgspec.Struct, frozen=True):
    """A sum of terms that are not multiples of one another."""

    terms: tuple[Term, ...]

    def value(self, names: Mapping[str, float]) -> float:
        return math.fsum(term.value(names) for term in self.terms)


class Power(msgspec.Struct, frozen=True):
    """A name (``fan_in``, ``m.weight.size(1)``) or a sum, to a power."""

    base: str | Sum
    exponent: float

    def value(self, names: Mapping[str, float]) -> float:
        base = names[self.base] if isinstance(self.base, str) else self.base.value(names)
        return math.pow(base, self.exponent)


def fold(source: str) -> Term | None:
    """An expression as a term; None for what is no arithmetic of real numbers, or divides by zero."""
    try:
        return _fold(ast.parse(source.strip(), mode="eval").body, DEEPEST)
    except (ArithmeticError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _fold(node: ast.expr, deepest: int) -> Term:
    if deepest == 0:
        raise ValueError("nests too deep")
    match node:
        case ast.Constant(value=bool()):
            raise ValueError("a truth value")
        case ast.Constant(value=int() | float() as number):
            return _finite(Term(float(number)))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return product(Term(-1.0), _fold(operand, deepest - 1))
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _fold(operand, deepest - 1)
        case ast.BinOp(left=left, op=operator, right=right):
            return _combined(operator, _fold(left, deepest - 1), _fold(right, deepest - 1))
        case ast.Call(func=ast.Name() | ast.Attribute() as function, args=[only], keywords=[]):
            return _called(ast.unparse(function).rpartition(".")[2], only, node, deepest)
        case ast.Name() | ast.Attribute() | ast.Subscript() | ast.Call():
            return _named(node)
    raise ValueError("no arithmetic")


def _named(node: ast.expr) -> Term:
    return Term(1.0, (Power(ast.unparse(node), 1.0),))


def _called(function: str, argument: ast.expr, call: ast.expr, deepest: int) -> Term:
    """A function of one argument: a root, a gain, something that leaves numbers alone, or a name of its own."""
    if function == "sqrt":
        return power(_fold(argument, deepest - 1), 0.5)
    if function == "float":
        return _fold(argument, deepest - 1)
    if function == "calculate_gain" and isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return Term(calculate_gain(argument.value))
    return _named(call)


def _combined(operator: ast.operator, left: Term, right: Term) -> Term:
    match operator:
        case ast.Mult():
            return product(left, right)
        case ast.Div():
            return product(left, power(right, -1.0))
        case ast.Add():
            return added(left, right)
        case ast.Sub():
            return added(left, product(Term(-1.0), right))
        case ast.Pow() if right.number is not None:
            return power(left, right.number)
    raise ValueError("no arithmetic that is folded")


def product(left: Term, right: Term) -> Term:
    """The product of two terms."""
    exponents: dict[str | Sum, float] = {}
    for factor in (*left.powers, *right.powers):
        exponents[factor.base] = exponents.get(factor.base, 0.0) + factor.exponent
    powers = (Power(base, exponent) for base, exponent in exponents.items() if exponent)
    return _finite(Term(left.coefficient * right.coefficient, tuple(sorted(powers, key=_order))))


def power(term: Term, exponent: float) -> Term:
    """A term to a power; ValueError for the root of what may be negative or is a square."""
    if term.coefficient < 0 and not exponent.is_integer():
        raise ValueError("the root of a negative number")
    if not exponent.is_integer() and any(factor.exponent % 2 == 0 for factor in term.powers):
        raise ValueError("the root of a square")
    powers = tuple(Power(factor.base, factor.exponent * exponent) for factor in term.powers)
    return _finite(Term(term.coefficient**exponent, powers if exponent else ()))


def added(left: Term, right: Term) -> Term:
    """A sum, flat, with the multiples of a term added up; of one term it is that term."""
    coefficients: dict[tuple[Power, ...], float] = {}
    for addend in (*_addends(left), *_addends(right)):
        coefficients[addend.powers] = coefficients.get(addend.powers, 0.0) + addend.coefficient
    terms = [Term(coefficient, powers) for powers, coefficient in coefficients.items() if coefficient]
    if not terms:
        return Term(0.0)
    if len(terms) == 1:
        return _finite(terms[0])
    return Term(1.0, (Power(Sum(tuple(map(_finite, sorted(terms, key=repr)))), 1.0),))


def _addends(term: Term) -> tuple[Term, ...]:
    match term.powers:
        case (Power(base=Sum(terms=terms), exponent=1.0),):
            return tuple(Term(term.coefficient * each.coefficient, each.powers) for each in terms)
    return (term,)


def _order(factor: Power) -> str:
    return repr(factor.base)


def _finite(term: Term) -> Term:
    if not math.isfinite(term.coefficient):
        raise OverflowError
    return term
