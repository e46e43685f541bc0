"""Folded arithmetic is the arithmetic that was written."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initaudit.schemes import fans, recognise
from initaudit.schemes.closed_form import xavier_std
from initaudit.schemes.distribution import Distribution
from initaudit.schemes.expressions import Power, Sum, Term, fold

NAMES = {"fan_in": 3.0, "fan_out": 4.0, "m.weight.size(1)": 2.5, "gain": 1.7}

leaf = st.one_of(
    st.sampled_from(sorted(NAMES)),
    st.integers(min_value=1, max_value=9).map(str),
    st.floats(min_value=0.125, max_value=64.0).map(repr),
)
expressions = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"),
        inner.map(lambda one: f"math.sqrt({one})"),
        inner.map(lambda one: f"float({one})"),
        inner.map(lambda one: f"(-{one})"),
        st.tuples(inner, st.sampled_from(["2", "0.5", "-1", "-0.5"])).map(lambda parts: f"({parts[0]}) ** {parts[1]}"),
    ),
    max_leaves=8,
)


def computed(source: str) -> float | None:
    """What Python computes where the names stand for their numbers; None where it raises or leaves the real numbers."""
    for name, value in NAMES.items():
        source = source.replace(name, f"({value!r})")
    try:
        result = eval(source, {"math": math, "float": float})
    except (ArithmeticError, ValueError, TypeError):
        return None
    return result if isinstance(result, int | float) and math.isfinite(result) else None


@given(expressions)
def test_a_folded_expression_has_the_value_that_python_computes(source: str) -> None:
    term, expected = fold(source), computed(source)
    if term is None or expected is None:
        return
    try:
        value = term.value(NAMES)
    except (ArithmeticError, ValueError):  # a sum that cancels in one order and not in another
        return
    assert math.isclose(value, expected, rel_tol=1e-6, abs_tol=1e-6)


@given(st.integers(min_value=1, max_value=4096), st.integers(min_value=1, max_value=4096))
def test_xavier_written_by_hand_is_recognised_from_its_folded_number(fan_in: int, fan_out: int) -> None:
    term = fold(f"math.sqrt(2) / math.sqrt({fan_in}. + {fan_out})")
    assert term is not None and term.number is not None
    drawn = Distribution(family="normal", mean=0.0, std=term.number)
    named = recognise(drawn, (fan_out, fan_in))
    assert any(found.scheme == "xavier_normal" and math.isclose(found.gain or 0, 1.0) for found in named)


def test_the_tutorials_square_roots_are_xavier_on_a_layer_from_three_to_four() -> None:
    term = fold("math.sqrt(2)/math.sqrt(7.)")
    assert term is not None and term.number == pytest.approx(xavier_std(fans((4, 3))), rel=1e-12)


def test_products_are_gathered_whatever_their_order() -> None:
    assert fold("2 / (kh * kw * c)") == fold("2 / c / (kw * kh)")
    assert fold("2 / (a + b)") == fold("2.0 / float(b + a)")
    assert fold("(a + b) + a") == fold("2 * a + b")


def test_a_sum_keeps_its_terms() -> None:
    one, other = (Term(1.0, (Power(name, 1.0),)) for name in ("fan_in", "fan_out"))
    assert fold("fan_out + fan_in") == Term(1.0, (Power(Sum((one, other)), 1.0),))


@pytest.mark.parametrize(
    "source",
    ["a if b else c", "1 / 0", "math.sqrt(-1)", "10 ** 400", "x // 2", "'a'", "True", "(", "sqrt(a ** 2)"],
)
def test_what_is_no_arithmetic_of_real_numbers_is_not_folded(source: str) -> None:
    assert fold(source) is None


def test_gains_are_numbers_where_torch_has_them() -> None:
    term = fold("nn.init.calculate_gain('relu') ** 2 / fan_in")
    assert term is not None and math.isclose(term.coefficient, 2.0)
    assert fold("nn.init.calculate_gain('gelu')") is None
