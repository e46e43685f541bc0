"""Limit the damage of an internal error: only the class or function where it happens is lost."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from initaudit.analyzer.file.scopes import TOO_DEEP
from initaudit.analyzer.symbolic.values import OutOfBudgetError
from initaudit.observation import Undecided

T = TypeVar("T")
TOO_LONG = "it is too long to follow"


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of ours, in words."""

    detail: str


def guarded(found: Iterable[T], subject: str) -> Iterator[T | Undecided | Failure]:
    """Yield what is found; end with what went wrong, where something did.

    What nests too deep or is too long leaves its subject undecided. Anything else is a failure of ours.
    """
    try:
        yield from found
    except RecursionError:
        yield Undecided(place=None, subject=subject, reason=TOO_DEEP)
    except OutOfBudgetError:
        yield Undecided(place=None, subject=subject, reason=TOO_LONG)
    except Exception as error:
        yield Failure(described(error, subject))


def described(error: Exception, subject: str = "") -> str:
    """Say what failed, on what, and where in our code."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    on = f" on `{subject}`" if subject else " here"
    return f"initaudit itself failed{on}, please report it: {type(error).__name__}: {error} ({where})"
