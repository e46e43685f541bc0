"""Facts about whole files: syntax errors, unbound names, unused suppressions."""

from __future__ import annotations

from initaudit.finding import Place
from initaudit.subjects.base import Fact


class SyntaxFault(Fact, frozen=True):
    """A file, or a cell of a notebook, that cannot be parsed, and why.

    ``unfinished`` says that the reader is asked to fill in a blank there; ``older`` which older Python accepts it,
    ``declared`` that its notebook says so, too, ``exported`` that a file is IPython as a notebook exports it, ``prose``
    that a cell holds sentences and no code, or that a file is no program. ``broken_off`` says that a value or a body is
    missing at the place, and ``aside`` that moreover the file only defines things that nothing in the project imports.
    """

    place: Place
    detail: str
    unfinished: bool = False
    older: str = ""
    declared: bool = False
    exported: bool = False
    prose: bool = False
    broken_off: bool = False
    aside: bool = False


class UndefinedName(Fact, frozen=True, kw_only=True):
    """A name with no binding in any scope, used as a model or a parameter."""

    place: Place
    name: str
    use: str
    suggestion: str | None = None


class UnusedSuppression(Fact, frozen=True, kw_only=True):
    """An unused suppression comment. ``codes`` are the useless ones (empty: the whole comment);
    ``removal`` is the text that has to go and what replaces it."""

    place: Place
    codes: tuple[str, ...]
    removal: Place
    replacement: str
