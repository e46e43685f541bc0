"""Layers that an initializer has to treat specially: padding rows, gains, copies."""

from __future__ import annotations

from initaudit.finding import Observer, Place
from initaudit.subjects.base import Fact


class EmbeddingWrite(Fact, frozen=True, kw_only=True):
    """A write to the table of an embedding with a padding row, by code that says nothing of that row.

    ``source`` draws all of the table, or, where there is an ``index``, sets the row with that name to zero: the whole
    table, if it is None, which is ``optional`` where its function says that it may be. ``embedding`` is where the
    embedding is made, ``needed`` what needs the row to be zero: code that adds up all positions, or that zeroes such a
    row elsewhere in the project. ``paths`` are the tables of a built model whose padding row is not zero.
    """

    observer: Observer
    place: Place
    source: str
    embedding: Place | None = None
    index: str | None = None
    optional: bool = False
    needed: Place | None = None
    paths: tuple[str, ...] = ()


class GainDraw(Fact, frozen=True, kw_only=True):
    """Random values for the gain of a normalization, which its constructor sets to one.

    ``layer`` is the canonical name of its type, ``call`` what draws ("init.normal_"), ``mean`` that of what it draws
    (None: not known). ``source`` is the code of the draw. ``paths`` are the gains of a built model that it drew.
    ``zero`` says that it writes zeros to the gains of all normalizations of a model, and that no path leads around
    them.
    """

    observer: Observer
    place: Place
    layer: str
    parameter: str
    call: str
    mean: float | None
    source: str = ""
    paths: tuple[str, ...] = ()
    zero: bool = False


class RepeatedLayer(Fact, frozen=True, kw_only=True):
    """A container made of one layer, with parameters or buffers, several times: ``source`` is ``[layer] * n``.

    ``listed`` says that a comprehension lists it, which was made before: some models share layers that way. ``once``
    says that all who build the class ask for one at most.
    """

    place: Place
    source: str
    layer: str
    listed: bool = False
    once: bool = False


class CopiedLayers(Fact, frozen=True, kw_only=True):
    """Layers under ``name`` of a class that are copies of one another, and stay so while the model is built.

    ``source`` makes the copies ("deepcopy(layer)"; empty where it is not known), in a class of torch itself when
    ``by_torch``; or it sets the seed from which each is drawn, when ``seeded``. Each of those that are ``apart`` has an
    input of its own; ``once`` says that all who build the class ask for one at most. The function ``helper`` makes the
    copies, perhaps for other classes too. Those ``beside`` one another are attributes of the class. ``loaded`` says
    that values were written into layers that had their own. ``paths`` are weights of a built model that are alike bit
    for bit, in the first of so many ``groups``.
    """

    observer: Observer
    place: Place
    model: str
    name: str
    source: str
    by_torch: bool = False
    seeded: bool = False
    apart: bool = False
    once: bool = False
    helper: str = ""
    beside: tuple[str, ...] = ()
    loaded: bool = False
    paths: tuple[str, ...] = ()
    groups: int = 0


class SharedModel(Fact, frozen=True, kw_only=True):
    """A second name, ``name``, for the model that ``other`` names, where code copies parameters from one to the other.

    ``copied`` is where. The two are equal where code copies the parameters of one name to the same.
    """

    place: Place
    name: str
    other: str
    copied: Place


class SeparateTarget(Fact, frozen=True, kw_only=True):
    """A network, ``target``, that follows ``source`` by a moving average, and starts from weights of its own.

    ``made`` is the source of what makes it, ``changed`` where the other network was drawn anew after the target had
    been copied from it, and ``follows`` is where the average is computed.
    """

    place: Place
    target: str
    source: str
    made: str
    follows: Place
    changed: Place | None = None
