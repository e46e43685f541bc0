"""Path conditions agree with going through every case."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from initaudit.analyzer.symbolic.conditions import (
    FALSE,
    LONGEST,
    TRUE,
    Atom,
    Condition,
    Literal,
    all_of,
    any_of,
    assignments,
    consistent,
    decide,
    describe,
    holds,
    negate,
)

ATOMS = [
    Atom("bias"),
    Atom("affine"),
    Atom("mode == 'fan_in'", "mode", "'fan_in'"),
    Atom("mode == 'fan_out'", "mode", "'fan_out'"),
]
leaf = st.one_of(st.builds(Literal, st.sampled_from(ATOMS), st.booleans()), st.sampled_from([TRUE, FALSE]))
conditions = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(all_of),
        st.lists(inner, max_size=3).map(any_of),
        inner.map(negate),
    ),
    max_leaves=8,
)


def cases() -> Iterator[dict[Atom, bool]]:
    for values in itertools.product((True, False), repeat=len(ATOMS)):
        case = dict(zip(ATOMS, values, strict=True))
        if consistent(case):
            yield case


def in_order(case: dict[Atom, bool]) -> tuple[tuple[str, bool], ...]:
    return tuple(sorted((atom.text, value) for atom, value in case.items()))


@given(conditions)
def test_a_condition_or_its_opposite_holds_and_never_both(condition: Condition) -> None:
    assert all(holds(condition, case) is not holds(negate(condition), case) for case in cases())


@given(st.lists(conditions, max_size=4))
def test_conjunction_and_disjunction_mean_all_and_any(terms: list[Condition]) -> None:
    for case in cases():
        truths = [holds(term, case) for term in terms]
        assert holds(all_of(terms), case) is all(truths)
        assert holds(any_of(terms), case) is any(truths)


@given(conditions, conditions)
def test_what_is_decided_is_so_in_every_case_that_is_given(condition: Condition, known: Condition) -> None:
    outcome = decide(condition, known)
    if outcome is not None:
        assert all(holds(condition, case) is outcome for case in cases() if holds(known, case))


@given(conditions, conditions)
def test_what_is_given_decides_its_own_terms(condition: Condition, known: Condition) -> None:
    both = all_of([condition, known])
    if any(holds(both, case) for case in cases()):
        assert decide(condition, both) is True


@given(conditions, conditions)
def test_assignments_are_the_consistent_cases(condition: Condition, where: Condition) -> None:
    found = [
        tuple(sorted((atom.text, value) for atom, value in case.items())) for case in assignments([condition], where)
    ]
    assert len(found) == len(set(found))
    speaks_of = {text for case in found for text, _ in case}
    expected = {
        in_order({atom: value for atom, value in case.items() if atom.text in speaks_of})
        for case in cases()
        if holds(where, case)
    }
    assert set(found) == expected


def test_two_values_of_one_option_exclude_each_other() -> None:
    fan_in, fan_out = (Literal(atom) for atom in ATOMS[2:])
    assert list(assignments([fan_in], where=all_of([fan_in, fan_out]))) == []


def test_a_condition_reads_as_a_reader_would_say_it() -> None:
    assert describe(all_of([Literal(ATOMS[0]), Literal(ATOMS[2], False)])) == "bias and not (mode == 'fan_in')"


def test_a_formula_that_holds_the_same_terms_in_many_places_is_asked_once_for_each() -> None:
    a, b = Literal(Atom("a")), Literal(Atom("b"))
    nested: Condition = a
    for _ in range(60):
        nested = any_of([all_of([nested, b]), all_of([negate(nested), negate(b)])])
    assert holds(nested, {a.atom: True, b.atom: True}) is True
    assert len(describe(nested)) <= LONGEST
