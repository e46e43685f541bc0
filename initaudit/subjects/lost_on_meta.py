"""Values that are lost when a model is built on the meta device and initialized again."""

from __future__ import annotations

from initaudit.finding import Observer, Place
from initaudit.subjects.base import Fact
from initaudit.timeline import Kind, Unwritten


class NotRestored(Fact, frozen=True, kw_only=True):
    """A parameter or buffer with values of its constructor alone: the initializer that runs once more after
    ``to_empty()`` (``by``) does not write it. ``place`` is where its memory is allocated; the probe counts elements.
    ``unless`` is a test at ``place`` on which the initializer does write it, and which a sharded parameter fails.

    Where a replay of the build on the meta device shows it, ``replayed`` says in words what was called, ``lacking`` is
    the class that has no initializer to call (``by`` is empty then), and ``paths`` lead to all tensors of this
    declaration. ``other`` are the values that were written instead of the constructor's and those of the constructor,
    in words; ``tied`` is the path of the tensor whose memory it no longer shares. ``pretrained`` says that the model
    was made by ``from_pretrained`` of transformers, ``loader`` that only the parameters were on the meta device, as
    where a loader fills them from a checkpoint. ``loaded`` says that a state dict without its key was loaded.
    """

    observer: Observer
    place: Place
    model: str
    name: str
    kind: Kind
    by: str
    unwritten: Unwritten | None = None
    unless: str | None = None
    replayed: str | None = None
    lacking: str | None = None
    paths: tuple[str, ...] = ()
    other: tuple[str, str] | None = None
    tied: str | None = None
    pretrained: bool = False
    loader: bool = False
    loaded: bool = False


class ChangedOnLoad(Fact, frozen=True, kw_only=True):
    """A value of a state dict that the model does not hold after it was loaded.

    ``place`` is the line that wrote the tensor last, or allocates it where that is not known. ``overwritten`` says that
    what is there does not depend on what was loaded; otherwise it is computed from that, anew each time it is loaded.
    ``loaded`` says in words how, and ``paths`` lead to all tensors of this declaration.
    """

    place: Place
    model: str
    name: str
    overwritten: bool
    elements: int
    total: int
    loaded: str
    paths: tuple[str, ...] = ()


class SkippedOnMeta(Fact, frozen=True, kw_only=True):
    """An initialization that a constructor runs only where a tensor is not on the meta device (``source`` is the test).

    ``model`` is the class, and ``raw`` names what it allocates and leaves raw then.
    """

    place: Place
    source: str
    model: str
    raw: tuple[str, ...]


class GivenMemory(Fact, frozen=True, kw_only=True):
    """``model.to_empty(device=...)``, behind which a model is used, and nothing writes or loads its parameters.

    ``used`` is where the model is called, or handed to an optimizer. Where the code behind ``to_empty`` writes others,
    but not those ``left`` of class ``cls``, ``place`` is where these are allocated, and ``used`` that call. ``loaded``
    says that a state is loaded, which has none of them.
    """

    place: Place
    model: str
    used: Place
    left: tuple[str, ...] = ()
    cls: str = ""
    loaded: bool = False
