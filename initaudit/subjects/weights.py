"""Weights and how they are used: fans, equal units, factors of a product."""

from __future__ import annotations

import msgspec

from initaudit.finding import Observer, Place
from initaudit.schemes import Distribution, Recognition
from initaudit.subjects.base import Fact

Extent = int | str
"""A size: a number, or the source of one that is known when the model is built."""


class WeightUse(Fact, frozen=True, kw_only=True):
    """A weight that user code initialized, and its use.

    ``by`` is the canonical call, ``schemes`` are those of this closed form by torch's fans; ``fan_in`` and ``fan_out``
    are those of the use. ``normalized`` says that a normalization follows before any activation. ``use`` is the path of
    the weight in the built model, or the source of the product that it is a factor of. ``distribution`` is None when
    the scheme is known and the sizes are not; ``counted`` are then the fans that torch's initializers count.
    ``mean_alone`` is the source of the mean of a normal draw that is given nothing else. ``most`` is the largest number
    that a script, which alone builds the class, gives for the name of ``fan_in``. ``spectral`` says that it is complex,
    as the weights of Fourier coefficients are. ``target`` is the source of a weight that a statement writes, which
    draws ``several`` layers with different numbers of inputs, up to ``fan_in``. A weight that is ``tied_to`` an
    embedding is the weight of that. ``shown`` says that a script only prints what it draws.
    """

    observer: Observer
    place: Place
    model: str
    parameter: str
    use: str
    shape: tuple[Extent, ...]
    by: str
    distribution: Distribution | None
    fan_in: Extent
    fan_out: Extent
    schemes: tuple[Recognition, ...] = ()
    counted: tuple[Extent, Extent] | None = None
    normalized: bool = False
    mean_alone: str = ""
    most: int | None = None
    spectral: bool = False
    target: str = ""
    several: bool = False
    tied_to: str = ""
    shown: bool = False


class EqualUnits(Fact, frozen=True, kw_only=True):
    """Units of a layer that start equal and have equal gradients, so that they stay equal forever.

    ``units`` are all that the layer has along the output of ``parameter``, ``equal`` those with a twin, and
    ``distinct`` how many really different ones there are among these: all, when they are not counted. ``path`` leads to
    it in the built model. ``feeds`` is the weight that reads them, where only the source was read. ``state`` says that
    they are rows that a model learns, such as queries, and multiply no input.
    """

    observer: Observer
    place: Place
    model: str
    parameter: str
    state: bool = False
    units: int | None = None
    equal: int | None = None
    distinct: int | None = None
    path: str | None = None
    feeds: str | None = None


class LowRankFactors(Fact, frozen=True, kw_only=True):
    """The factors of a low-rank update of a class, all that is known to write them, and which of them start at zero.

    ``place`` is the write of the factor that makes the product what it is; ``random`` are the factors that start so.
    """

    observer: Observer
    place: Place
    model: str
    name: str
    random: tuple[str, ...]
    zero: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


class Factor(msgspec.Struct, frozen=True):
    """A parameter as named in ``model``, the class that declares it; a gain multiplies element by element."""

    model: str
    parameter: str
    gain: bool = False
    matrix: bool = False


class ZeroFactors(Fact, frozen=True, kw_only=True):
    """Parameters that start at zero, and get a gradient only when the others are not zero.

    ``factors`` are those of each class once; ``paths`` lead to all of them in the built model.
    """

    observer: Observer
    place: Place
    factors: tuple[Factor, ...]
    paths: tuple[str, ...] = ()


class RawTensor(Fact, frozen=True, kw_only=True):
    """A tensor of raw memory that is no parameter of a module, and that is used before anything writes it.

    ``name`` is the attribute ("self.scale") or the variable, ``call`` the canonical name of what allocates it, ``used``
    a place that reads it. ``trained`` says that an optimizer or a step of the code's own changes it, ``recorded`` that
    it requires a gradient, and ``unused`` that nothing computes one or returns what is made with it. ``exported`` says
    that the script only writes down the operators of its model.
    """

    place: Place
    name: str
    call: str
    used: Place
    trained: bool = False
    recorded: bool = False
    unused: bool = False
    exported: bool = False
    model: str | None = None


class ConstantWeights(Fact, frozen=True, kw_only=True):
    """One number for every element of the weights of all layers of some kinds, or of a weight of a class's own.

    ``source`` is what writes it, ``value`` the source of the number, and ``walk`` what goes over the layers
    ("self.modules()", "net.apply(init)"), whose classes are ``kinds``. ``shown`` says that the code is a test, or of a
    script that trains nothing and shows weights. Without a walk, ``parameter`` is the weight of class ``model``, and
    ``use`` the source of the product that it is a factor of.
    """

    place: Place
    source: str
    value: str
    walk: str | None = None
    kinds: tuple[str, ...] = ()
    shown: bool = False
    model: str | None = None
    parameter: str | None = None
    use: str | None = None


class StackedDraw(Fact, frozen=True, kw_only=True):
    """One draw by Xavier's or the orthogonal scheme for ``parts`` matrices that one tensor holds.

    ``target`` is the source of the tensor, ``what`` the matrices are ("gates of an LSTM"), and ``split`` the place
    where the parts are distinguished, if the source shows one.
    """

    place: Place
    initializer: str
    target: str
    parts: int
    what: str
    split: Place | None = None


class TiedDraw(Fact, frozen=True, kw_only=True):
    """Two different draws that reach one tensor under two names of class ``model``: the later one stays.

    ``tie`` is the statement at ``tied`` that makes ``name`` and ``other`` one. ``first`` draws the one, and the
    statement at ``place``, by way of ``by``, the other. Where ``first`` is empty, ``by`` gives ``name`` a new tensor.
    """

    place: Place
    model: str
    name: str
    other: str
    tie: str
    tied: Place
    first: str
    by: str


class NamedFan(Fact, frozen=True, kw_only=True):
    """A variable ``name`` (fan_in or fan_out) that holds size ``axis`` of the weight of a torch layer, (out, in, ...).

    ``source`` is the expression for the size, which stands at ``value``, and ``other`` the one for the other of the
    first two sizes. ``both`` says that the same function names the other fan too. A product of channels and some
    sides of a kernel has no ``axis``; ``other`` is the product with all of them.
    """

    place: Place
    value: Place
    name: str
    source: str
    axis: int | None
    other: str
    both: bool = False


class SizedScale(Fact, frozen=True, kw_only=True):
    """A weight of class ``model`` that is drawn with variance one and scaled by an expression of its own sizes.

    The forward sums over ``fan_in`` products. ``degree`` is the power of the sizes in the variance of an output, for
    inputs of variance one: 0 where the scale fits the sum, -1 where it is too small by the root of one size.
    """

    place: Place
    model: str
    parameter: str
    use: str
    factor: str
    fan_in: Extent
    degree: float


class PartialKernel(Fact, frozen=True, kw_only=True):
    """A kernel that is written to one channel of a dense convolution's weight; the others keep their draw.

    ``source`` is the assignment, ``axis`` the dimension of the weight with the one index; None where, behind zeros, the
    same number is written to the kernel of every pair of channels.
    """

    place: Place
    source: str
    axis: int | None
    layer: str


class DeadStart(Fact, frozen=True, kw_only=True):
    """A statement that sets the weight of a layer without a bias, or with one of zeros, to zero, before a ReLU.

    ``layer`` and ``rectifier`` are the sources of both, ``sequence`` is where one follows the other. ``biased`` says
    that the layer has a bias.
    """

    place: Place
    layer: str
    rectifier: str
    sequence: Place
    biased: bool = False
