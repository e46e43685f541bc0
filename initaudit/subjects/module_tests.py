"""Tests of a module's type, its class name or a parameter's name that guard an initialization."""

from __future__ import annotations

from initaudit.finding import Observer, Place
from initaudit.subjects.base import Fact


class TypeTest(Fact, frozen=True, kw_only=True):
    """A test of a module's type that always has the same outcome or misses a type.

    ``outcome`` is "always true", "never true", "tests only the first", "tests only the last" or begins with "raises".
    """

    place: Place
    source: str
    outcome: str
    mended: str | None = None


class ExactTypeTest(Fact, frozen=True, kw_only=True):
    """A comparison of a module's own type before it is initialized (``type(m) == nn.Linear``), and the test of its kind
    that would also hold for subclasses."""

    place: Place
    source: str
    mended: str


class ClassNameTest(Fact, frozen=True, kw_only=True):
    """A test for a part of a class's name, before an attribute is initialized that objects of ``model``, which has such
    a name, do not have. The test reaches them."""

    place: Place
    source: str
    part: str
    model: str
    attribute: str


class NameTest(Fact, frozen=True, kw_only=True):
    """A test for a part of a parameter's name, before it is initialized, that no name of ``model`` passes.

    ``whole`` says that the test asks for ``part`` as the whole name, ``others_pass`` that the same loop may do
    something to other parameters. ``near`` is a name that is written almost like ``part``. ``known`` are the parts that
    names of the model can have beside those of torch's layers.
    """

    observer: Observer
    place: Place
    source: str
    part: str
    model: str
    others_pass: bool
    whole: bool = False
    near: str | None = None
    known: tuple[str, ...] = ()


class ConstantTest(Fact, frozen=True, kw_only=True):
    """A condition on the way to an initialization that cannot be false, or cannot be true.

    ``outcome`` is "always true", "never true", "true for other names", "true for nothing" (of what has to be there),
    "tests only the last" or "raises"; ``why`` names the part that makes it so, and ``fixed`` is the source of the
    condition that was meant, if it is known. ``parameters`` of the ``model`` are not initialized because of it.
    """

    place: Place
    source: str
    outcome: str
    why: str
    fixed: str | None = None
    model: str | None = None
    parameters: tuple[str, ...] = ()


class TensorTruth(Fact, frozen=True, kw_only=True):
    """A parameter used as a condition (``if m.bias:``). ``source`` is that of the parameter; ``absent`` says that all
    layers that get there are made without it."""

    place: Place
    source: str
    absent: bool = False
