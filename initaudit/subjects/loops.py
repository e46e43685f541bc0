"""Loops over the parameters or modules of a model."""

from __future__ import annotations

import enum

from initaudit.finding import Observer, Place
from initaudit.subjects.base import Fact


class Iterates(enum.Enum):
    """What a loop over a model yields."""

    PARAMETERS = "parameters"
    NAMED_PARAMETERS = "named_parameters"
    MODULES = "modules"
    NAMED_MODULES = "named_modules"
    CHILDREN = "children"
    NAMED_CHILDREN = "named_children"

    @property
    def tensors(self) -> bool:
        return self in (Iterates.PARAMETERS, Iterates.NAMED_PARAMETERS)


class ModelLoop(Fact, frozen=True, kw_only=True):
    """A ``for`` over the parameters or modules of a model that may not do what such loops are for.

    ``place`` is the loop's header. ``model`` is the source of the iterated object ("net"). ``effect`` is False when
    nothing in the body can change anything. ``ends`` is the ``return`` or ``break`` that ends the first round of a loop
    that initializes. ``indexed`` is where the body first subscripts the tensor as if it were a module (``p[0]``)
    without using the result. ``missed`` are the classes of layers that a loop over children initializes and that are
    all further down, in the attributes ``missed_in``. ``used_up`` is what went through the iterator of
    this name before.
    """

    observer: Observer
    place: Place
    model: str
    iterates: Iterates
    effect: bool
    ends: Place | None = None
    indexed: Place | None = None
    indexed_name: str | None = None
    missed: tuple[str, ...] = ()
    missed_in: tuple[str, ...] = ()
    used_up: Place | None = None
