"""Initializers that run too early, once too often, or for the wrong submodule."""

from __future__ import annotations

from initaudit.finding import Observer, Place
from initaudit.subjects.base import Fact


class EarlyWalk(Fact, frozen=True, kw_only=True):
    """A statement that initializes all modules of an object, before the submodules ``missed`` exist.

    They are of the kinds that it initializes, in class ``model``, and nothing else initializes them. ``in_base``: it is
    the call of a base class's constructor, which does that. ``chosen``: others of the late submodules are
    initialized, by the constructor or by themselves.
    """

    observer: Observer
    place: Place
    source: str
    model: str
    missed: tuple[str, ...]
    in_base: bool = False
    chosen: bool = False


class Overwritten(Fact, frozen=True, kw_only=True):
    """A deliberate initialization that a later, general one replaces.

    ``source`` is what wrote ``parameter`` of class ``model`` on purpose, and ``by`` the statement at ``again`` that
    writes it anew: with nothing between, when ``at_once``, in the last branch of an ``if`` all of whose branches do so,
    when ``branched``, or puts a new layer in its place, when it ``replaces``. It is ``spare`` where the weight and the
    bias of that layer are both written afterwards, so that neither was missed, or where nothing would write what a mark
    protects. A layer that is ``left`` was made between the two, or a bias asked for, and nothing initializes it.
    ``loads`` says that the source gives a model trained weights, and ``wrote`` where it stands, if that is in another
    file than the place to report. Or the source sets a mark, ``flag``, that is to keep initializers away; nothing reads
    it.
    """

    observer: Observer
    place: Place
    source: str
    by: str | None = None
    again: Place | None = None
    wrote: Place | None = None
    at_once: bool = False
    branched: bool = False
    spare: bool = False
    left: str | None = None
    replaces: bool = False
    loads: bool = False
    flag: str | None = None
    model: str | None = None
    parameter: str | None = None


class RepeatedReset(Fact, frozen=True, kw_only=True):
    """A statement of ``method`` that does to the submodule ``repeated`` what another did, and ``missed`` has no such.

    Both are made by the same calls, in class ``model``.
    """

    place: Place
    model: str
    method: str
    repeated: str
    missed: str


class ForgottenFlag(Fact, frozen=True, kw_only=True):
    """A plain attribute by which a method remembers that it has initialized ``parameter`` from its first input.

    The parameter, or buffer, is in the state dict of class ``model``. The ``flag``, set to false at ``place``, is not.
    ``method`` computes the parameter, at ``written``.
    """

    place: Place
    model: str
    flag: str
    parameter: str
    method: str
    written: Place
