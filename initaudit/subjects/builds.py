"""Facts that only a build of a model shows: it fails, or depends on more or less than its seed."""

from __future__ import annotations

from initaudit.finding import Observer, Place
from initaudit.subjects.base import Fact


class BuildFailure(Fact, frozen=True, kw_only=True):
    """A model that could not be built: ``how`` is "raised", "hung" or "died"; ``missing`` arguments were not given."""

    place: Place
    target: str
    how: str
    detail: str
    missing: tuple[str, ...] = ()


class Irreproducible(Fact, frozen=True, kw_only=True):
    """A tensor that differs between two builds from one seed.

    ``because`` is the reason in words, where it is known ("construction depends on uninitialized memory"), and
    ``affects`` then lists every parameter that differs for it. ``largest`` is the largest difference of an element, and
    ``rounding`` says that rounding can make it, as where memory is aligned otherwise.
    """

    place: Place
    model: str
    parameter: str
    elements: int
    total: int
    because: str | None = None
    affects: tuple[str, ...] = ()
    largest: float | None = None
    rounding: bool = False


class SeedIgnored(Fact, frozen=True, kw_only=True):
    """Trainable parameters that look drawn, and are the same in models built from different ``seeds``.

    ``parameter`` is the first of ``affects``, named as in their classes; ``paths`` lead to all of them.
    """

    observer: Observer
    place: Place
    model: str
    parameter: str
    seeds: tuple[int, ...]
    affects: tuple[str, ...]
    paths: tuple[str, ...]
