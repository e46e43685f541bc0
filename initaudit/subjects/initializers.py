"""Initializers: their arguments, whether they are called, and what they are passed to."""

from __future__ import annotations

from enum import Enum

from initaudit.finding import Place
from initaudit.subjects.base import Fact


class CalledInitializer(Fact, frozen=True, kw_only=True):
    """``net.apply(init())``: the result of an initializer, which is None, is passed instead of the initializer.

    ``call`` is the source of the call, and ``fixed`` what was meant.
    """

    place: Place
    call: str
    fixed: str


class ModuleGiven(Fact, frozen=True, kw_only=True):
    """A module given to a function of ``nn.init``, which takes a tensor. ``target`` is the source of the module.

    ``pair`` says that it is a pair of a name and a parameter or module instead, and ``uncalled`` names the function
    of a script around the call that nothing uses.
    """

    place: Place
    initializer: str
    target: str
    pair: bool = False
    uncalled: str = ""


class VectorGiven(Fact, frozen=True, kw_only=True):
    """A tensor of fewer dimensions than an initializer accepts: Xavier, Kaiming and orthogonal need two, Dirac three.

    ``target`` is the source of the tensor and ``why`` says how its dimensions are known. ``absent`` says that the call
    runs only where the tensor is there, and that no layer of the model surely has it.
    """

    place: Place
    initializer: str
    target: str
    why: str
    absent: bool = False


class LazyLoss(Enum):
    """What becomes of the initialization of a parameter that has no shape yet."""

    RAISES = "torch raises ValueError"
    LOST = "the first forward pass draws the values anew"
    SKIPPED = "the type is asked for, and the layer has another one until then"


class LazyGiven(Fact, frozen=True, kw_only=True):
    """Initialization of a lazy ``layer`` before its first forward pass. ``source`` is the call that should write it."""

    place: Place
    source: str
    layer: str
    loss: LazyLoss


class UncalledInitializer(Fact, frozen=True, kw_only=True):
    """A method of a module class, or a function of a script, that initializes and that nothing in the project calls.

    ``model`` is the class, ``siblings`` are classes of the same project whose method of this name is called, and
    ``built`` is a place of the project that makes an object of the class. ``loaded`` says that another method of the
    class, which the project calls, fills the object from a checkpoint, and ``drawn`` that a program that builds it
    initializes its layers.
    """

    place: Place
    name: str
    model: str | None = None
    siblings: tuple[str, ...] = ()
    built: Place | None = None
    loaded: bool = False
    drawn: bool = False


class Runs(Enum):
    """When some code of a module runs."""

    ON_IMPORT = "on import"
    IN_CONSTRUCTOR = "whenever the module is constructed"
    IN_FORWARD = "whenever the module runs"


class GlobalSeed(Fact, frozen=True, kw_only=True):
    """A call that seeds torch's global generator in library code.

    ``given`` says that the seed is an argument of the method, ``seeded`` that a program of the project seeds too, and
    ``application`` that the project's own programs use the file and that nothing says it is made for others to install.
    """

    place: Place
    call: str
    runs: Runs
    model: str | None = None
    given: bool = False
    seeded: bool = False
    application: bool = False


class ImpossibleCall(Fact, frozen=True, kw_only=True):
    """A call in ``nn.init``, or of ``Parameter``, that torch refuses: a name, a keyword or a value it does not know.

    ``called`` is the name, ``why`` says what torch does not accept, and ``close`` are names or values
    that it has instead, those that look most like it first.
    """

    place: Place
    called: str
    why: str
    close: tuple[str, ...] = ()


class AbsentParameter(Fact, frozen=True, kw_only=True):
    """A write of a parameter that its layer does not have, so that it is None: ``target`` is its source.

    ``made`` is the call that makes the layer.
    """

    place: Place
    target: str
    made: str


class AbsentAttribute(Fact, frozen=True, kw_only=True):
    """Initialization of an attribute that the class ``model`` of its object does not have: ``target`` is its source.

    ``function`` is the row of the function that it stands in, and ``close`` are attributes of the class with names like
    it.
    """

    place: Place
    target: str
    model: str
    attribute: str
    function: int = 0
    close: tuple[str, ...] = ()
