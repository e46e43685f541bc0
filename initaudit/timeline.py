"""The timeline of a parameter, as both observers describe it.

A parameter's memory is *allocated*, something *writes* it (or nothing does), and it is *registered* on a module. Both
observers produce the same values, so that a rule about a parameter's life is written once.
"""

from __future__ import annotations

import enum
from pathlib import Path

import msgspec

from initaudit.finding import Observer, Place
from initaudit.schemes import Distribution


class Coverage(enum.Enum):
    """How much of the memory is written when construction ends."""

    WRITTEN = "written"
    PARTIAL = "partial"  # some path or some elements are not
    NEVER = "never"
    UNKNOWN = "unknown"  # the observer could not decide: rules stay silent


class Kind(enum.Enum):
    """What the memory is registered as."""

    PARAMETER = "parameter"
    BUFFER = "buffer"


class Role(enum.Enum):
    """How a forward uses a parameter, which decides what initial values make sense."""

    FACTOR = "factor"  # multiplied element by element, as a gain is
    OFFSET = "offset"  # added, as a bias is
    WEIGHT = "weight"  # contracted: each output sums over several of its elements
    TABLE = "table"  # looked up, joined to other values, or added position by position
    SLOPE = "slope"  # the negative slope of a PReLU


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """How a forward uses a parameter that construction left unwritten, and the values it was given for that forward.

    ``inputs`` counts the elements that one output of a weight sums over. ``mode`` is the fan of torch's initializers
    that equals it: "fan_in", "fan_out", or None where neither does, as for stacked and spectral weights. ``activation``
    is the activation that follows a weight. ``through`` is the function applied to the parameter first ("exp").
    ``filled`` describes the values of the unwritten elements ("ones").
    """

    role: Role | None = None
    inputs: int | None = None
    mode: str | None = None
    activation: str | None = None
    through: str | None = None
    filled: str = ""


class Only(enum.Enum):
    """The only kind of code that builds, writes or reads a parameter."""

    TESTS = "tests"  # nothing else builds its class
    UNREAD = "unread"  # nothing reads it
    CHECKPOINT = "checkpoint"  # every program loads one into it
    OPTION = "option"  # an option of the program
    SOME = "some"  # some of the programs
    CONSTRUCTOR = "constructor"  # what wrote to the instance afterwards is not known


def at(place: Place, beside: str) -> str:
    """A place in another part of the project, as a message about the file ``beside`` names it: "scripts/train.py:31".

    The path begins in the folder that holds both files.
    """
    path, other = Path(place.filename).absolute(), Path(beside).absolute()
    folder = next((each for each in other.parents if path.is_relative_to(each)), path.parent)
    name = path.relative_to(folder).as_posix()
    return f"{name}:{place.row}" if place.cell is None else f"{name}, cell {place.cell}, line {place.row}"


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """Where the memory came from.

    ``call`` is the canonical call ("torch.Tensor", "torch.empty", "nn.Linear"). ``raw`` says that the call itself
    writes nothing; ``legacy`` that it is one of the constructors that take a size or data (``torch.Tensor(...)``).
    ``shape`` holds None for a dimension that is not known. ``replacement`` is the source of an equivalent
    ``torch.empty`` call, proven when ``replacement_proven`` (integers or a torch.Size, outside a device context).
    """

    place: Place
    call: str
    raw: bool
    legacy: bool = False
    shape: tuple[int | None, ...] | None = None
    replacement: str | None = None
    replacement_proven: bool = False


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """Something that wrote the memory.

    ``by`` is canonical ("init.xavier_normal_", "Tensor.normal_", "Tensor.copy_"). ``place`` is the innermost line of
    user code, ``cause`` the next one outward in the project (the ``self.apply(...)``), where there is one. ``whole``
    is False for a slice. ``distribution`` is what it draws from, when the arguments are known.
    """

    place: Place | None
    by: str
    whole: bool = True
    cause: Place | None = None
    distribution: Distribution | None = None


class Unwritten(msgspec.Struct, frozen=True, kw_only=True):
    """Elements that were never written, counted exactly by the probe. Their values differ from run to run."""

    elements: int
    total: int


class Values(msgspec.Struct, frozen=True, kw_only=True):
    """The values of a tensor after construction. Statistics are over written, finite elements, in float64.

    ``counts`` is the histogram of them, or of evenly spaced ones where they are many, in equal bins from ``min`` to
    ``max``; empty when all are equal.
    """

    dtype: str
    shape: tuple[int, ...]
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    nan: int = 0
    inf: int = 0
    counts: tuple[int, ...] = ()


class ParameterTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter or buffer of one class (analyzer) or of one built model (probe).

    ``model`` is the qualified name of the class that declares it, ``name`` its name there, ``path`` the full path in
    the built model ("encoder.0.weight"; the probe only). ``gap`` says in words which path or elements are not written,
    or for which options what is never written exists. ``forgotten`` names an initializer that would have written it but
    is never called ("reset_parameters"). ``built`` is the line of a program that builds the class and leaves it raw,
    ``only`` what alone builds or writes it. ``influenced`` is True for a
    tensor that was written, but with values computed from unwritten memory. ``read_first`` tells of a buffer
    whether a forward read it before writing it (None: no forward decided). ``scheme`` is the recognised
    initialization. ``usage`` is how a forward uses what construction left unwritten.
    """

    observer: Observer
    model: str
    name: str
    kind: Kind
    coverage: Coverage
    allocation: Allocation | None
    writes: tuple[Write, ...] = ()
    path: str | None = None
    gap: str | None = None
    forgotten: str | None = None
    built: Place | None = None
    only: Only | None = None
    influenced: bool = False
    read_first: bool | None = None
    trainable: bool = True
    unwritten: Unwritten | None = None
    values: Values | None = None
    scheme: str | None = None
    usage: Usage | None = None


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One weight of a chain and the activation that follows.

    ``place`` is the line that wrote the weight. ``schemes`` are the names of all schemes with this closed form at
    this shape, ``gain`` that of the first. ``variance`` is sigma^2 of an element, ``fan_in`` the true fan.
    ``activation`` is a key of the activation catalogue ("relu", "tanh"); None when the chain ends linearly.
    """

    place: Place | None
    model: str
    parameter: str
    schemes: tuple[str, ...]
    gain: float | None
    activation: str | None
    fan_in: int | None = None
    fan_out: int | None = None
    variance: float | None = None


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive weights with no normalization between them, in the order data flows.

    ``normalized`` says that a normalization (or a residual connection) keeps the scale of this chain;
    ``lost_decades`` is log10 of the measured rms at the first link over that at the last one that an activation
    follows, when a forward measured it.
    """

    observer: Observer
    model: str
    links: tuple[Link, ...]
    normalized: bool
    lost_decades: float | None = None


class Decisive(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter of a normalization that determines a layer's output, whatever the layer computes.

    It is the gain if that is zero, or the bias if that is larger than the gain.
    """

    place: Place | None
    model: str
    parameter: str
    gain: bool


class Setting(msgspec.Struct, frozen=True):
    """The rms of the parameter that sets the scale of a weight, that of the weight, and whether it is one per unit."""

    parameter: float
    weight: float
    gain: bool


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter, as named in the class that declares it, and the line that wrote it."""

    place: Place | None
    model: str
    parameter: str


class Gain(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter that multiplies the output of a weight elementwise, its path, and the factor in the output's rms."""

    named: Named
    path: str
    factor: float


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One weight at its first use in a forward. Measured numbers are one per seed; empty where they were not measured.

    ``again`` is the rms of its output at every use, where there are several, for the first seed alone.

    ``place`` is the line that wrote the weight. ``shape`` is the weight's, ``fan_in`` true to its use, ``activation``
    the first that its output meets, ``convolution`` how it is used. ``chain`` is the index of its chain in the
    observation, None where a normalization or a residual sum keeps the scale; ``normalized`` tells the former. ``fed``
    says that inputs which differ over the batch reach it, ``output`` that its output is an output of the model.
    ``bias`` is the bias that is added to it, as named in ``bias_model``, and ``bias_place`` the line that wrote it.

    ``rms`` is of its output, before the activation. ``discrimination`` is sqrt(E[Var over the batch]) / rms of it: how
    much the output still depends on the input. ``bias_share`` is the part of the output's second moment that the bias
    alone causes. ``gradient`` is the rms of the weight's gradient for a random output gradient.
    ``apart`` is the discrimination over the output's own first dimension, where inputs share no batch. ``dead`` is the
    part of the units that no sample activates, where a rectifier follows.

    ``depends`` is the path of a parameter or buffer that nothing wrote and that the output depends on: what is measured
    then depends on values that the probe chose, and is not judged. ``gradient_depends`` is the same for the gradient.
    ``decided_by`` is a parameter of the normalization between the output and its activation. ``bounds`` is the tanh or
    sigmoid that a sum meets of which the output is the largest part, as of the gates of a recurrent cell.

    ``piece`` is the end of ``path`` that tells parts of one parameter apart, or the weights that are made from it.
    ``given`` is the rms of the input that the weight is multiplied with. A computed weight has a ``setting``, or is
    ``fixed`` if no parameter sets its scale. ``gain`` is the first that multiplies its output elementwise.
    """

    path: str
    place: Place | None
    model: str
    parameter: str
    shape: tuple[int, ...]
    fan_in: int
    fan_out: int
    convolution: bool = False
    activation: str | None = None
    chain: int | None = None
    normalized: bool = False
    fed: bool = True
    output: bool = False
    bias: str | None = None
    bias_place: Place | None = None
    bias_model: str | None = None
    rms: tuple[float, ...] = ()
    discrimination: tuple[float, ...] = ()
    bias_share: tuple[float, ...] = ()
    gradient: tuple[float, ...] = ()
    dead: tuple[float, ...] = ()
    apart: tuple[float, ...] = ()
    again: tuple[float, ...] = ()
    units: int = 0
    depends: str | None = None
    gradient_depends: str | None = None
    decided_by: Decisive | None = None
    bounds: str | None = None
    gain: Gain | None = None
    piece: str = ""
    given: tuple[float, ...] = ()
    setting: Setting | None = None
    fixed: bool = False

    @property
    def source(self) -> str:
        """The path of the parameter."""
        return self.path.removesuffix(self.piece)


class InitialLoss(msgspec.Struct, frozen=True, kw_only=True):
    """The loss of a classifier before training, in nats above ln(classes), one per seed.

    ``path`` is that of the layer whose output is over classes. ``error`` is the standard error, and ``known_by`` what
    shows that it is over classes ("log_softmax"), or only lets one guess so when ``guessed``.
    """

    path: str
    classes: int
    excess: tuple[float, ...]
    error: tuple[float, ...]
    known_by: str
    guessed: bool = False


class TableSum(msgspec.Struct, frozen=True, kw_only=True):
    """A table that is the same for all samples, added to what comes straight from the input.

    ``table`` is None if it is constant; ``signal`` is what the input is looked up in or multiplied with. ``table_rms``
    and ``signal_rms`` are their scales, ``own`` and ``left`` the discrimination of the signal and of the sum.
    """

    table: Named | None
    signal: Named
    table_rms: float
    signal_rms: float
    own: float
    left: float


class SoftmaxOfProducts(msgspec.Struct, frozen=True, kw_only=True):
    """An attention: the ``paths`` of the weights that make queries and keys, the standard deviation of its logits over
    the ``keys``, and the mean of the largest share."""

    paths: tuple[str, ...]
    spread: float
    largest: float
    keys: int


class SignalProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The measurements of a forward and a backward of a built model, layer by layer in the order of execution.

    ``place`` is where the model is defined, ``inputs`` describes its inputs, ``batch`` is their first dimension,
    None if they have none in common. ``varied`` says that samples of the batch differ. ``seeds`` are those that
    models were built from. ``overflow`` is the path of the first layer whose output is not finite. ``skipped`` says
    by the name of a field, or of one of its layers, why it was not measured. ``losses`` has one for each output over
    classes. ``sums`` and ``attentions`` are those of the first seed.
    """

    observer: Observer
    model: str
    place: Place
    inputs: tuple[str, ...]
    batch: int | None
    varied: bool
    seeds: tuple[int, ...]
    layers: tuple[Layer, ...]
    losses: tuple[InitialLoss, ...] = ()
    overflow: str | None = None
    skipped: dict[str, str] = {}
    sums: tuple[TableSum, ...] = ()
    attentions: tuple[SoftmaxOfProducts, ...] = ()
