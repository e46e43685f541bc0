"""Path conditions: what has to hold for a statement to run.

A condition is a Boolean formula over atoms. An atom is the canonical text of a test that source alone cannot decide
(``bias``, ``mode == 'fan_in'``); the same test on the same value is the same atom, so that a bias that is created
``if bias`` and written ``if self.bias is not None`` is understood. This module knows nothing about syntax.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import ClassVar
from weakref import WeakValueDictionary

MAX_ATOMS = 10
MAX_ATOMS_TO_DECIDE = 7
"""Deciding happens at every step of a run, so it gives up earlier; what stays undecided is only carried along."""
WIDEST = 14
"""A formula over more atoms than this becomes an atom of its own, so that long constructors stay cheap."""
LONGEST = 10_000
"""A description is cut there: a formula that holds the same terms in many places would be endless."""
REMEMBERED = 65_536
IDENTITY = re.compile(r"#\d+")
"""What tells apart two objects of which nothing is known that differs: a number, another one in each run."""


class Atom:
    """An undecided test. Atoms that compare one ``subject`` with different ``constant`` values exclude each other.

    There is one object for each atom and each formula, as long as anybody holds it: equal ones are identical, and the
    answers to what is asked of them again and again are found by identity.
    """

    __slots__ = ("__weakref__", "constant", "subject", "text")
    text: str
    subject: str | None
    constant: str | None
    _all: ClassVar[WeakValueDictionary[tuple[str, str | None, str | None], Atom]] = WeakValueDictionary()

    def __new__(cls, text: str, subject: str | None = None, constant: str | None = None) -> Atom:
        key = (text, subject, constant)
        atom = cls._all.get(key)
        if atom is None:
            atom = cls._all[key] = super().__new__(cls)
            atom.text, atom.subject, atom.constant = key
        return atom


class Literal:
    """An atom, or its negation."""

    __slots__ = ("__weakref__", "atom", "positive")
    __match_args__ = ("atom", "positive")
    atom: Atom
    positive: bool
    _all: ClassVar[WeakValueDictionary[tuple[Atom, bool], Literal]] = WeakValueDictionary()

    def __new__(cls, atom: Atom, positive: bool = True) -> Literal:
        key = (atom, positive)
        literal = cls._all.get(key)
        if literal is None:
            literal = cls._all[key] = super().__new__(cls)
            literal.atom, literal.positive = key
        return literal


class All:
    """A conjunction; the empty one is true."""

    __slots__ = ("__weakref__", "terms")
    __match_args__ = ("terms",)
    terms: frozenset[Condition]
    _all: ClassVar[WeakValueDictionary[frozenset[Condition], All]] = WeakValueDictionary()

    def __new__(cls, terms: frozenset[Condition]) -> All:
        formula = cls._all.get(terms)
        if formula is None:
            formula = cls._all[terms] = super().__new__(cls)
            formula.terms = terms
        return formula


class Any:
    """A disjunction; the empty one is false."""

    __slots__ = ("__weakref__", "terms")
    __match_args__ = ("terms",)
    terms: frozenset[Condition]
    _all: ClassVar[WeakValueDictionary[frozenset[Condition], Any]] = WeakValueDictionary()

    def __new__(cls, terms: frozenset[Condition]) -> Any:
        formula = cls._all.get(terms)
        if formula is None:
            formula = cls._all[terms] = super().__new__(cls)
            formula.terms = terms
        return formula


Condition = Literal | All | Any
TRUE = All(frozenset())
FALSE = Any(frozenset())


@functools.lru_cache(maxsize=REMEMBERED)
def negate(condition: Condition) -> Condition:
    """The opposite condition."""
    match condition:
        case Literal(atom, positive):
            return Literal(atom, not positive)
        case All(terms):
            return any_of(negate(term) for term in terms)
        case Any(terms):
            return all_of(negate(term) for term in terms)


def all_of(conditions: Iterable[Condition]) -> Condition:
    """The conjunction, flattened and simplified."""
    result: Condition = TRUE
    for condition in conditions:
        if condition is not TRUE and condition is not result:
            result = condition if result is TRUE else _both(result, condition)
            if result is FALSE:
                break
    return result


@functools.lru_cache(maxsize=REMEMBERED)
def _both(one: Condition, other: Condition) -> Condition:
    known = one.terms if isinstance(one, All) else frozenset({one})
    added = (other.terms if isinstance(other, All) else frozenset({other})) - known
    if FALSE in added or any(isinstance(term, Literal) and negate(term) in known for term in added):
        return FALSE
    return All(known | added) if added else one


def any_of(conditions: Iterable[Condition]) -> Condition:
    """The disjunction, flattened and simplified."""
    terms: set[Condition] = set()
    for condition in conditions:
        if isinstance(condition, Any):
            terms |= condition.terms
        else:
            terms.add(condition)
    if len(terms) == 1:
        return next(iter(terms))
    if TRUE in terms or any(isinstance(term, Literal) and negate(term) in terms for term in terms):
        return TRUE
    return _narrowed(Any(frozenset(terms)))


@functools.lru_cache(maxsize=REMEMBERED)
def _narrowed(condition: Any) -> Condition:
    """The disjunction itself, or an atom that stands for it when it speaks of too much."""
    if len(atoms(condition)) <= WIDEST:
        return condition
    return Literal(Atom(f"one of {len(condition.terms)} paths", constant=str(next(_numbers))))


_numbers = itertools.count()


def conjuncts(condition: Condition) -> frozenset[Condition]:
    """The terms that all have to hold."""
    return condition.terms if isinstance(condition, All) else frozenset({condition})


@functools.lru_cache(maxsize=REMEMBERED)
def atoms(condition: Condition) -> frozenset[Atom]:
    """Every atom the condition speaks of."""
    if isinstance(condition, Literal):
        return frozenset({condition.atom})
    return frozenset().union(*(atoms(term) for term in condition.terms))


def holds(condition: Condition, assignment: dict[Atom, bool]) -> bool:
    """Whether the condition is true when its atoms have these values."""
    return _holds(condition, assignment, {})


def _holds(condition: Condition, assignment: dict[Atom, bool], known: dict[Condition, bool]) -> bool:
    """The same, with what is known of the terms: a long one holds the same term in many places."""
    if isinstance(condition, Literal):
        return assignment[condition.atom] is condition.positive
    found = known.get(condition)
    if found is None:
        inner = (_holds(term, assignment, known) for term in condition.terms)
        found = known[condition] = all(inner) if isinstance(condition, All) else any(inner)
    return found


@functools.lru_cache(maxsize=REMEMBERED)
def decide(condition: Condition, given: Condition) -> bool | None:
    """True or False when ``given`` implies the condition or its opposite, else None."""
    if condition is TRUE or condition is FALSE:
        return condition is TRUE
    if given is TRUE:
        return None
    known = conjuncts(given)
    if conjuncts(condition) <= known:
        return True
    if any(negate(term) in known for term in conjuncts(condition)):
        return False
    named = atoms(condition)
    if named.isdisjoint(atoms(given)) or (isinstance(condition, Literal) and condition.atom not in atoms(given)):
        return None
    about = [term for term in known if not named.isdisjoint(atoms(term))]
    if len(named.union(*map(atoms, about))) > MAX_ATOMS_TO_DECIDE:
        left = under(condition, given)
        return decide(left, given) if left is not condition else None
    return _decided(condition, about[0] if len(about) == 1 else All(frozenset(about)))


@functools.lru_cache(maxsize=REMEMBERED)
def under(condition: Condition, given: Condition) -> Condition:
    """What a condition still asks for where another one holds, as far as the tests and terms of that show."""
    known = conjuncts(given)
    if isinstance(condition, Literal):
        return TRUE if condition in known else FALSE if negate(condition) in known else condition
    if isinstance(condition, All):
        return all_of(under(term, given) for term in condition.terms)
    if any(isinstance(term, Any) and term.terms <= condition.terms for term in known):
        return TRUE
    return any_of(under(term, given) for term in condition.terms)


@functools.lru_cache(maxsize=REMEMBERED)
def _decided(condition: Condition, given: Condition) -> bool | None:
    """``decide`` by going through every case."""
    outcomes: set[bool] = set()
    for case in assignments([condition], given, MAX_ATOMS_TO_DECIDE):
        outcomes.add(holds(condition, case))
        if len(outcomes) > 1:
            return None
    return outcomes.pop() if outcomes else None


def assignments(
    conditions: Iterable[Condition], where: Condition = TRUE, limit: int = MAX_ATOMS
) -> Iterator[dict[Atom, bool]]:
    """Every consistent assignment of the conditions' atoms under which ``where`` holds.

    Too many atoms give no assignment at all, as if nothing could be shown.
    """
    names = sorted(frozenset().union(*(atoms(c) for c in conditions), atoms(where)), key=lambda atom: atom.text)
    if len(names) > limit:
        return
    for values in itertools.product((True, False), repeat=len(names)):
        case = dict(zip(names, values, strict=True))
        if consistent(case) and holds(where, case):
            yield case


def consistent(assignment: dict[Atom, bool]) -> bool:
    """False when one subject equals two constants at once, or is true and None."""
    equal = [atom.subject for atom, value in assignment.items() if value and atom.subject is not None]
    if len(equal) != len(set(equal)):
        return False
    none = {atom.subject for atom, value in assignment.items() if value and atom.constant == "None"}
    return not any(value and atom.text in none for atom, value in assignment.items())


def readable(text: str) -> str:
    """A text as a reader would say it, to whom equal objects are equal."""
    return IDENTITY.sub("", text)


@functools.lru_cache(maxsize=REMEMBERED)
def describe(condition: Condition) -> str:
    """The condition as a reader would say it."""
    return _described(condition)[:LONGEST]


def _described(condition: Condition) -> str:
    match condition:
        case Literal(atom, positive):
            text = readable(atom.text)
            if positive:
                return text
            return f"not ({text})" if " " in text else f"not {text}"
        case All(terms):
            return " and ".join(sorted(describe(term) for term in terms)) or "always"
        case Any(terms):
            return " or ".join(sorted(describe(term) for term in terms)) or "never"
