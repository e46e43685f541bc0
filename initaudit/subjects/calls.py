"""Calls of initializers and constructors, and their arguments."""

from __future__ import annotations

import msgspec

from initaudit.finding import Place
from initaudit.subjects.base import Fact


class Argument(msgspec.Struct, frozen=True):
    """An argument as it is written; ``keyword`` is None for a positional one.

    ``meaning`` is the same with what is assigned in its place for each name that was assigned just before.
    """

    keyword: str | None
    source: str
    meaning: str = ""


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """A call: the name of the called function, and its arguments."""

    function: str
    arguments: tuple[Argument, ...]

    def argument(self, position: int, keyword: str) -> str | None:
        """The source of an argument; None when it is left out, or may be given by a ``*`` or ``**``."""
        given = self.given(position, keyword)
        return None if given is None else given.source

    def given(self, position: int, keyword: str) -> Argument | None:
        """An argument; None as above."""
        for given in self.arguments:
            if given.keyword == keyword:
                return given
        plain = [given for given in self.arguments if given.keyword is None]
        if position < len(plain) and not any(given.source.startswith("*") for given in plain):
            return plain[position]
        return None


class InitializerCall(Called, Fact, frozen=True, kw_only=True):
    """A call of an initializer of torch; ``function`` is its name in ``torch.nn.init``.

    ``w.normal_(0, 1)`` is stated as ``normal_(w, 0, 1)``. ``layer`` is the call that made the layer whose weight it is
    given (``Linear(3, 4)``), where that is known, or ``Parameter(3, 4)`` for a matrix of these sizes.
    """

    place: Place
    layer: Called | None = None


class DeprecatedCall(Fact, frozen=True, kw_only=True):
    """A call of an initializer without its trailing underscore.

    ``name`` is the place of the name alone, None where it is not looked up in ``torch.nn.init`` itself: what imports
    it, perhaps another file, does not import the other name. ``within`` is the function that calls it.
    """

    place: Place
    name: Place | None
    function: str
    within: str = ""


class IgnoredArgument(Fact, frozen=True, kw_only=True):
    """A call that writes a constant where class ``model`` takes an ``argument`` for it, which nothing else reads.

    ``written`` is the source of the call, or empty where none heeds the argument, ``parameter`` what it writes, where
    that is an attribute of the object. ``chooses`` says that the argument chooses by its text what the parameter is
    made of.
    """

    place: Place
    model: str
    parameter: str | None
    argument: str
    written: str
    chooses: bool = False
