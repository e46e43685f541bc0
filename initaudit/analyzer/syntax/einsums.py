"""Products written with Einstein's notation, by torch and by libraries whose axes have names of several letters."""

from __future__ import annotations

import ast
import string
from typing import NamedTuple

LETTERS = {"torch.einsum"}
"""Functions whose axes are letters."""
WORDS = {"einops.einsum", "fancy_einsum.einsum"}
"""Functions whose axes are words, separated by blanks."""


class Einsum(NamedTuple):
    """The axes of two factors and of their product, each as one letter, and the factors."""

    axes: tuple[str, str]
    product: str
    factors: tuple[ast.expr, ast.expr]


def einsum(call: ast.Call, function: str) -> Einsum | None:
    """Return what a call of a function, by its canonical name, multiplies; None for anything but two factors."""
    match call.args:
        case [ast.Constant(value=str(equation)), left, right] if function != "einops.einsum":
            pass
        case [left, right, ast.Constant(value=str(equation))] if function == "einops.einsum":
            pass
        case _:
            return None
    given, arrow, product = equation.partition("->")
    terms = given.split(",")
    if not arrow or len(terms) != 2 or function not in LETTERS | WORDS:
        return None
    letters: dict[str, str] = {}
    first, second, third = (_axes(term, letters, words=function in WORDS) for term in (*terms, product))
    if len(letters) > len(string.ascii_letters):
        return None
    return Einsum((first, second), third, (left, right))


def _axes(term: str, letters: dict[str, str], *, words: bool) -> str:
    """One letter for each axis of a term, the same for the same name; other axes stay as dots."""
    names = term.split() if words else term.replace("...", ". ").replace(" ", "")
    return "".join("..." if name in ("...", ".") else _letter(name, letters) for name in names)


def _letter(name: str, letters: dict[str, str]) -> str:
    return letters.setdefault(name, string.ascii_letters[len(letters) % len(string.ascii_letters)])
