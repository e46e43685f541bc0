"""What only source, or only a run, shows: facts that an observer states once for all rules.

A fact says what is there, never whether it is wrong; that is for the rules.
"""

from __future__ import annotations

import enum

import msgspec

from initaudit.finding import Observer, Place
from initaudit.schemes import Distribution, Recognition
from initaudit.timeline import Chain, Kind, ParameterTimeline, SignalProfile, Unwritten


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


class SyntaxFault(msgspec.Struct, frozen=True, tag=True):
    """A file that cannot be parsed, and why."""

    place: Place
    detail: str


class ModelLoop(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A ``for`` over the parameters or modules of a model that may not do what such loops are for.

    ``place`` is the loop's header. ``model`` is the source of the iterated object ("net"). ``effect`` is False when
    nothing in the body can change anything. ``tests_name`` says that the body branches on the name. ``indexed`` is
    where the body first subscripts the tensor as if it were a module (``p[0]``) without using the result. ``rebound``
    are places where the loop variable is assigned a new tensor that then is dropped. ``missed`` are the classes of
    layers that a loop over children initializes and that are all further down, in the attributes ``missed_in``.
    """

    observer: Observer
    place: Place
    model: str
    iterates: Iterates
    effect: bool
    tests_name: bool = False
    indexed: Place | None = None
    indexed_name: str | None = None
    rebound: tuple[Place, ...] = ()
    rebound_name: str | None = None
    rebound_call: str | None = None
    missed: tuple[str, ...] = ()
    missed_in: tuple[str, ...] = ()


class DroppedTensor(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A statement that makes a new tensor and drops it.

    ``call`` is canonical ("torch.full"), ``parameter`` the parameter whose size or values it takes, in class ``model``.
    ``inplace`` is the source of the in-place form, when there is one.
    """

    place: Place
    call: str
    parameter: str | None
    model: str | None
    target: str
    inplace: str | None = None


class BareReference(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An expression statement that only names an initializer: ``init.xavier_uniform_``.

    ``parameters`` are those of class ``model`` that the call would have initialized and nothing else does.
    """

    place: Place
    source: str
    callable_without_arguments: bool
    model: str | None = None
    parameters: tuple[str, ...] = ()


class TypeTest(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A test of a module's type that always has the same outcome or misses a type.

    ``outcome`` is "always true", "never true" or "tests only the first".
    """

    place: Place
    source: str
    outcome: str
    mended: str | None = None


class UndefinedName(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A name with no binding in any scope, used as a model or a parameter."""

    place: Place
    name: str
    use: str
    suggestion: str | None = None


class DeprecatedCall(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A call of an initializer without its trailing underscore.

    ``name`` is the place of the name alone, None where it is not looked up in ``torch.nn.init`` itself: what imports
    it, perhaps another file, does not import the other name.
    """

    place: Place
    name: Place | None
    function: str


class Argument(msgspec.Struct, frozen=True):
    """An argument as it is written; ``keyword`` is None for a positional one.

    ``meaning`` is the same with what is assigned in its place for each name that was assigned just before.
    """

    keyword: str | None
    source: str
    meaning: str = ""


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """A call: the name of what is called, and what it is given."""

    function: str
    arguments: tuple[Argument, ...]

    def argument(self, position: int, keyword: str) -> str | None:
        """The source of an argument; None when it is left out, or may be given by a ``*`` or ``**``."""
        given = self.given(position, keyword)
        return None if given is None else given.source

    def given(self, position: int, keyword: str) -> Argument | None:
        """An argument; None as above."""
        for given in self.arguments:
            if given.keyword == keyword:
                return given
        plain = [given for given in self.arguments if given.keyword is None]
        if position < len(plain) and not any(given.source.startswith("*") for given in plain):
            return plain[position]
        return None


class InitializerCall(Called, frozen=True, kw_only=True, tag=True):
    """A call of an initializer of torch; ``function`` is its name in ``torch.nn.init``.

    ``w.normal_(0, 1)`` is stated as ``normal_(w, 0, 1)``. ``layer`` is the call that made the layer whose weight it is
    given (``Linear(3, 4)``), where that is known.
    """

    place: Place
    layer: Called | None = None


class NotRestored(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A parameter or buffer with values of its constructor alone: the initializer that runs once more after
    ``to_empty()`` (``by``) does not write it. ``place`` is where its memory is allocated; the probe counts elements.
    ``unless`` is a test at ``place`` on which the initializer does write it, and which a sharded parameter fails."""

    observer: Observer
    place: Place
    model: str
    name: str
    kind: Kind
    by: str
    unwritten: Unwritten | None = None
    unless: str | None = None


class HelperCall(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A call that gives a parameter to a helper which does nothing unless it is given a module.

    ``argument`` is the parameter ("m.weight"), ``module`` what it belongs to ("m"), and ``guard`` the test of the
    helper that no tensor passes. For a parameter of ``self``, ``model`` is the class and ``parameter`` the name in it.
    """

    place: Place
    helper: str
    argument: str
    module: str
    guard: str
    model: str | None = None
    parameter: str | None = None


class EmbeddingWrite(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A write to the table of an embedding with a padding row, by code that says nothing of that row.

    ``source`` draws all of the table, or, where there is an ``index``, sets the row with that name to zero: the whole
    table, if it is None, which is ``optional`` where its function says that it may be. ``embedding`` is where the
    embedding is made. ``paths`` are the tables of a built model whose padding row is not zero.
    """

    observer: Observer
    place: Place
    source: str
    embedding: Place | None = None
    index: str | None = None
    optional: bool = False
    paths: tuple[str, ...] = ()


class GainDraw(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Random values for the gain of a normalization, which its constructor sets to one.

    ``layer`` is the canonical name of its type, ``call`` what draws ("init.normal_"), ``mean`` that of what it draws
    (None: not known). ``paths`` are the gains of a built model that it drew.
    """

    observer: Observer
    place: Place
    layer: str
    parameter: str
    call: str
    mean: float | None
    paths: tuple[str, ...] = ()


class RepeatedReset(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A statement of ``method`` that does to the submodule ``repeated`` what another did, and ``missed`` has no such.

    Both are made by the same calls, in class ``model``.
    """

    place: Place
    model: str
    method: str
    repeated: str
    missed: str


class ExactTypeTest(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A comparison of a module's own type before it is initialized (``type(m) == nn.Linear``), and the test of its kind
    that would also hold for subclasses."""

    place: Place
    source: str
    mended: str


class ClassNameTest(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A test for a part of a class's name, before an attribute is initialized that objects of ``model``, which has such
    a name, do not have. The test reaches them."""

    place: Place
    source: str
    part: str
    model: str
    attribute: str


class NameTest(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A test for a part of a parameter's name, before it is initialized, that no name of ``model`` passes.

    ``others_pass`` says that the same loop may do something to other parameters. ``known`` are the parts that names of
    the model can have beside those of torch's layers.
    """

    observer: Observer
    place: Place
    source: str
    part: str
    model: str
    others_pass: bool
    known: tuple[str, ...] = ()


class LeafWrite(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A write in place to a parameter that autograd records (``source``), or to a ``view`` of one. In a method,
    ``model`` is its class."""

    place: Place
    source: str
    parameter: str
    model: str | None = None
    view: bool = False


class RepeatedLayer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A container made of one layer, with parameters or buffers, several times: ``source`` is ``[layer] * n``."""

    place: Place
    source: str
    layer: str


class CopiedLayers(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Layers under ``name`` of a class that are copies of one another, and stay so while the model is built.

    ``source`` makes the copies ("deepcopy(layer)"; empty where it is not known), in a class of torch itself when
    ``by_torch``. ``paths`` are weights of a built model that are alike bit for bit, in the first of so many ``groups``.
    """

    observer: Observer
    place: Place
    model: str
    name: str
    source: str
    by_torch: bool = False
    paths: tuple[str, ...] = ()
    groups: int = 0


class LowRankFactors(msgspec.Struct, frozen=True, kw_only=True, tag=True):
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


class IgnoredArgument(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A call that writes a constant where class ``model`` takes an ``argument`` for it, which nothing else reads.

    ``written`` is the source of the call, ``parameter`` what it writes, where that is an attribute of the object.
    """

    place: Place
    model: str
    parameter: str | None
    argument: str
    written: str


class DerivedWrite(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A write of a weight that is computed from other parameters, and so is computed again before it is used.

    ``target`` is the source of the weight ("m.weight"), ``layer`` the class of its module, and ``by`` the canonical
    name of what derives it ("torch.nn.utils.weight_norm").
    """

    observer: Observer
    place: Place
    target: str
    layer: str
    by: str


class CopyWrite(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A write of a copy of a parameter that nothing reads.

    ``target`` is the source of the parameter, or its name, ``how`` what copies ("`clone`", "an index"), and ``certain``
    says that it copies whatever it is given. ``parameter`` is that of class ``model`` which was copied.
    """

    observer: Observer
    place: Place
    target: str
    how: str
    certain: bool
    model: str | None = None
    parameter: str | None = None


class EarlyWalk(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A statement that initializes all modules of an object, before the submodules ``missed`` exist.

    They are of the kinds that it initializes, in class ``model``, and nothing else initializes them. ``in_base``: it is
    the call of a base class's constructor, which does that.
    """

    observer: Observer
    place: Place
    source: str
    model: str
    missed: tuple[str, ...]
    in_base: bool = False


class Overwritten(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A deliberate initialization that a later, general one replaces.

    ``source`` is what wrote ``parameter`` of class ``model`` on purpose, and ``by`` the statement at ``again`` that
    writes it anew. Or it sets a mark, ``flag``, that is to keep initializers away, and that nothing reads.
    """

    observer: Observer
    place: Place
    source: str
    by: str | None = None
    again: Place | None = None
    flag: str | None = None
    model: str | None = None
    parameter: str | None = None


class UnusedSuppression(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A suppression comment that hides nothing. ``codes`` are the useless ones (empty: the whole comment);
    ``removal`` is the text that has to go and what replaces it."""

    place: Place
    codes: tuple[str, ...]
    removal: Place
    replacement: str


class BuildFailure(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A model that could not be built: ``how`` is "raised", "hung" or "died"; ``missing`` arguments were not given."""

    place: Place
    target: str
    how: str
    detail: str
    missing: tuple[str, ...] = ()


class Irreproducible(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A tensor that differs between two builds from one seed.

    ``because`` is the reason in words, where it is known ("construction decides by memory nobody wrote"), and
    ``affects`` then lists every parameter that differs for it.
    """

    place: Place
    model: str
    parameter: str
    elements: int
    total: int
    because: str | None = None
    affects: tuple[str, ...] = ()


Extent = int | str
"""A size: a number, or the source of one that is known when the model is built."""


class WeightUse(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A weight that user code drew, and how it is used.

    ``by`` is the canonical call, ``schemes`` are those of this closed form by torch's fans; ``fan_in`` and ``fan_out``
    are those of the use. ``normalized`` says that a normalization follows before any activation. ``use`` is the path of
    the weight in the built model, or the source of the product that it is a factor of. ``distribution`` is None when
    the scheme is known and the sizes are not; ``counted`` are then the fans that torch's initializers count.
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


class SeedIgnored(msgspec.Struct, frozen=True, kw_only=True, tag=True):
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


class EqualUnits(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Units of a layer that start the same and have the same gradients: they stay the same for good.

    ``units`` are all that the layer has along the output of ``parameter``, ``equal`` those with a twin, and
    ``distinct`` how many really different ones there are among these: all, when they are not counted. ``path`` leads to
    it in the built model. ``feeds`` is the weight that reads them, where only the source was read.
    """

    observer: Observer
    place: Place
    model: str
    parameter: str
    units: int | None = None
    equal: int | None = None
    distinct: int | None = None
    path: str | None = None
    feeds: str | None = None


class ZeroFactors(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Parameters that start at zero, and get a gradient only when the others are not zero.

    ``parameter`` is the first of the ``factors``, all as named in ``model``; ``paths`` lead to them in the built model.
    """

    observer: Observer
    place: Place
    model: str
    parameter: str
    factors: tuple[str, ...]
    paths: tuple[str, ...] = ()


Fact = (
    SyntaxFault
    | ModelLoop
    | DroppedTensor
    | BareReference
    | TypeTest
    | UndefinedName
    | DeprecatedCall
    | InitializerCall
    | NotRestored
    | HelperCall
    | EmbeddingWrite
    | GainDraw
    | ExactTypeTest
    | ClassNameTest
    | NameTest
    | LeafWrite
    | RepeatedLayer
    | CopiedLayers
    | LowRankFactors
    | RepeatedReset
    | IgnoredArgument
    | DerivedWrite
    | CopyWrite
    | EarlyWalk
    | Overwritten
    | UnusedSuppression
    | BuildFailure
    | Irreproducible
    | SeedIgnored
    | WeightUse
    | EqualUnits
    | ZeroFactors
)


class Question(msgspec.Struct, frozen=True, order=True):
    """What a rule asks of an observer: subjects of one kind, by the name of their type.

    ``words`` narrow it down, in groups: where no word of one of the groups stands, the rule has nothing to say.
    """

    subject: str
    words: tuple[tuple[str, ...], ...] = ()


class Undecided(msgspec.Struct, frozen=True, kw_only=True):
    """Something an observer could not decide, and why: silence is never mistaken for "clean"."""

    place: Place | None
    subject: str
    reason: str


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model was built: versions, the platform, the device, the default dtype, and the seed of every build."""

    python: str
    torch: str
    platform: str
    device: str
    dtype: str
    seed: int


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one observer saw in one file or one target.

    ``comments`` says that the file may hold suppressions that are written for this tool. ``error`` says why it could
    not be looked at. ``environment`` is where the model was built, ``signal`` what a forward and a backward of it show
    (the probe only).
    """

    observer: Observer
    source: str  # filename as given, or target
    parameters: tuple[ParameterTimeline, ...] = ()
    chains: tuple[Chain, ...] = ()
    facts: tuple[Fact, ...] = ()
    undecided: tuple[Undecided, ...] = ()
    comments: bool = False
    error: str | None = None
    environment: Environment | None = None
    signal: SignalProfile | None = None

    @property
    def says_something(self) -> bool:
        return bool(
            self.parameters or self.chains or self.facts or self.undecided or self.comments or self.error is not None
        )
