"""Parameters that no module registers or no optimizer gets: tensors computed from them, and layers made too late."""

from __future__ import annotations

from initaudit.finding import Place
from initaudit.subjects.base import Fact


class MovedParameter(Fact, frozen=True, kw_only=True):
    """A name that is given the result of an operation on a new parameter: ``self.w = nn.Parameter(values).to(device)``.

    ``made`` is the source of the parameter, ``how`` what makes a new tensor of it, and ``certain`` says that it always
    does; what is ``placed`` may be where it is moved already. In a method, ``model`` is the class. ``registers``:
    ``register_parameter`` is given the result. ``trained`` is where an optimizer is given the name, or where its
    gradient is read.
    """

    place: Place
    target: str
    made: str
    how: str
    certain: bool
    placed: bool = False
    model: str | None = None
    registers: bool = False
    trained: Place | None = None


class MadeInForward(Fact, frozen=True, kw_only=True):
    """A layer or a parameter that the forward of class ``model`` makes, uses and keeps nowhere.

    ``source`` is the call that makes it, and ``drawn`` says that its values are random.
    """

    place: Place
    model: str
    source: str
    drawn: bool


class PlainAttribute(Fact, frozen=True, kw_only=True):
    """Layers, or a tensor that requires a gradient, which an ``attribute`` of class ``model`` holds unregistered.

    ``kind`` is what holds layers ("list", "tuple", "dictionary"), or parameters ("list of parameters"), or "tensor";
    ``source`` is the call that makes one, or the tensor. The object only computes with it, and nothing else uses the
    attribute. ``saved`` says that a program may save or load a state, for a tensor of random numbers, and ``shown``
    that a script only prints the models of the class.
    """

    place: Place
    model: str
    attribute: str
    source: str
    kind: str
    saved: bool = False
    shown: bool = False


class ReplacedLayer(Fact, frozen=True, kw_only=True):
    """A layer or a parameter that is put into a model after ``optimizer`` was given the model's parameters.

    ``target`` is what is assigned, ``value`` what it is given, and ``given`` is where the optimizer is made.
    """

    place: Place
    target: str
    value: str
    optimizer: str
    given: Place


class FrozenLayer(Fact, frozen=True, kw_only=True):
    """A new layer of a model, ``target``, that the statement ``source`` freezes with all other layers of the model.

    The layer is put into the model at ``made``. An optimizer is given the parameters of the model, or of a part of it,
    and no code of the file makes any of them trainable again.
    """

    place: Place
    source: str
    target: str
    made: Place


class UninitializedBase(Fact, frozen=True, kw_only=True):
    """A statement of a constructor that gives a module of class ``model`` a layer before ``nn.Module`` is initialized.

    ``later`` says that the constructor of a base is called behind it; otherwise none is. Or the statement itself asks
    ``super`` for the bases of a ``foreign`` class, of which the module is no instance.
    """

    place: Place
    model: str
    source: str
    later: bool = False
    foreign: str = ""


class MisspeltConstructor(Fact, frozen=True, kw_only=True):
    """A method, ``name``, that is written as the constructor of a class ``model``, which has none; nothing calls it.

    ``made`` are the attributes that it makes layers or parameters.
    """

    place: Place
    name: str
    model: str
    made: tuple[str, ...] = ()


class SharedMemory(Fact, frozen=True, kw_only=True):
    """A parameter ``target`` of a class ``model`` that is made of the parameter ``source`` of the same object.

    ``viewed`` says that it is seen in another shape, for example transposed.
    """

    place: Place
    model: str
    target: str
    source: str
    viewed: bool = False


class Unfrozen(Fact, frozen=True, kw_only=True):
    """A flag ``requires_grad`` that is false, and keeps nothing from being trained.

    ``source`` sets it, of ``target``: a module, or each of several if a loop goes over modules, which has no such flag;
    or a tensor, and ``made`` makes a parameter that takes its place, or its values, and not its flag.
    """

    place: Place
    source: str
    target: str
    each: bool = False
    made: str | None = None
