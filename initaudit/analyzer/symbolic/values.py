"""The values of expressions in a symbolic run of a constructor.

Values have identity as in Python: two names for one tensor are one object. An unknown value is ``Unknown``, or a
``Symbol`` with a canonical text if it is the same each time it is read.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.symbolic.conditions import FALSE, TRUE, Condition, all_of, decide, negate
from initaudit.schemes import Distribution

if TYPE_CHECKING:
    import ast

    from initaudit.analyzer.source.snippets import Snippet


MAX_TEXT = 4_096
"""Maximum length of a string, and of the text of a symbol, in characters."""
MAX_BITS = 256
"""Maximum size of an integer, in bits."""
MAX_ITEMS = 2_000
"""Maximum number of items of a joined list, and of nested lists in a text."""


class OutOfBudgetError(Exception):
    """The run took too many steps or created too many values."""


class Distinct:
    """An object with an identity: its number is used for no other object."""

    __slots__ = ("_number",)
    _number: int

    @property
    def number(self) -> int:
        if not hasattr(self, "_number"):
            object.__setattr__(self, "_number", next(_numbers))
        return self._number


_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value about which nothing is known."""


@dataclass(frozen=True, slots=True)
class Unset:
    """An attribute or name that does not exist on this path."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a string, a bool or None."""

    value: object


@dataclass(frozen=True, slots=True)
class Symbol:
    """An unknown that is the same each time it is read: a constructor argument, a field of a configuration."""

    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", _short(self.text))


@dataclass(frozen=True, slots=True)
class Size:
    """A ``torch.Size``, or an entry that stands for several dimensions."""

    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", _short(self.text))


@dataclass(slots=True, eq=False)
class Sequence:
    """A list or tuple. ``complete`` is False if it may have more items than are listed.

    ``keyed`` are the positions of items that were set at an index that is not known, by its text. ``length`` is the
    text of the number of items for which a single one stands.
    """

    items: list[Value]
    complete: bool = True
    is_list: bool = True
    keyed: dict[str, int] = field(default_factory=dict)
    length: str | None = None


@dataclass(slots=True, eq=False)
class Mapping(Distinct):
    """A dict with known keys."""

    items: dict[str, Value]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Origin:
    """The syntax node that caused an effect, and its slice of the file."""

    snippet: Snippet
    node: ast.AST


@dataclass(slots=True, eq=False)
class WriteEvent:
    """A write to memory under a condition. ``part`` is None for all of it; ``by`` is a canonical name."""

    origin: Origin
    cause: Origin | None
    by: str
    condition: Condition
    part: Part | None = None
    distribution: Distribution | None = None
    gain: float | None = None

    def repeats(self, other: WriteEvent) -> bool:
        """Whether two writes are one statement on one path, reached from the same call or from an unknown one."""
        same = self.origin.node is other.origin.node and self.condition is other.condition and self.part == other.part
        called = self.cause.node if self.cause is not None else None
        return same and (called is None or (other.cause is not None and called is other.cause.node))


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a tensor: an index along one dimension, with its bounds as text; ``exact`` if they are known.

    ``within`` says that it may be less than what the bounds say, and ``diagonal`` is the text of an index that selects
    along two dimensions by one variable of a loop. ``cell`` are the numbers that select along several dimensions, None
    for a dimension that is taken as a whole.
    """

    start: str | None
    stop: str | None
    exact: bool
    dimension: int = 0
    step: int = 1
    within: bool = False
    diagonal: str | None = None
    cell: tuple[int | None, ...] | None = None

    def __str__(self) -> str:
        if self.diagonal is not None:
            return f"[{self.diagonal}]"
        if self.cell is not None:
            return f"[{', '.join(':' if each is None else str(each) for each in self.cell)}]"
        if self.stop == f"({self.start} + 1)":
            return f"[{':, ' * self.dimension}{self.start}]"
        step = f":{self.step}" if self.step != 1 else ""
        return f"[{':, ' * self.dimension}{self.start or ''}:{self.stop or ''}{step}]"


INEXACT = Part(None, None, False)


@dataclass(frozen=True, slots=True)
class Index:
    """A subscript that selects along one dimension. ``start`` and ``stop`` are texts; ``whole`` selects everything.

    ``sliced`` says that it selects a part of a sequence, and not an item; ``within``, ``diagonal`` and ``cell`` are as
    in a part.
    """

    constant: object = None
    start: str | None = None
    stop: str | None = None
    whole: bool = False
    exact: bool = False
    by_loop: bool = False
    dimension: int = 0
    step: int = 1
    sliced: bool = False
    within: bool = False
    diagonal: str | None = None
    cell: tuple[int | None, ...] | None = None

    @property
    def is_named(self) -> bool:
        """Whether it is one item at an index that is not known, and that has a text of its own."""
        return self.constant is None and not self.sliced and not self.whole and "?" not in (self.start or "?")


@dataclass(slots=True, eq=False)
class Storage:
    """Memory. ``raw`` says that the allocation wrote nothing; ``escaped`` that unreadable code had access to it.

    ``from_torch`` says that an attribute of the torch module allocates it, under any name (``torch.Tensor(3)``).
    ``garbage`` is the uninitialized memory that this was computed from. If this is one of several memories and it is
    unknown which, they are ``possible``. ``factor`` is the text of what multiplies the values that ``call`` draws.
    ``changed`` says that the values were scaled, shifted or otherwise computed from those of the last write, and
    ``owned`` that a parameter or a buffer has the memory.
    """

    origin: Origin | None
    call: str
    raw: bool
    condition: Condition = TRUE
    legacy: bool = False
    shape: tuple[Value, ...] | None = None
    dtype: str | None = None
    from_torch: bool = False
    proven: bool = False
    pending: str | None = None  # the symbol that has to be an integer for this to be a size
    distribution: Distribution | None = None
    writes: list[WriteEvent] = field(default_factory=list)
    escaped: str | None = None
    garbage: tuple[Storage, ...] = ()
    possible: tuple[Storage, ...] = ()
    factor: str | None = None
    changed: bool = False
    owned: bool = False

    def escape(self, reason: str) -> None:
        """Note that unreadable code may write this memory, and every memory that it may be."""
        self.escaped = self.escaped or reason
        for each in self.possible:
            each.escape(reason)


@dataclass(slots=True, eq=False)
class Tensor(Distinct):
    """A tensor object over memory that can be replaced (``.data =``). ``part`` is set for a view of a part of it."""

    storage: Value  # a Memory, or a Choice of them
    parameter: bool = False
    buffer: bool = False
    part: Part | None = None
    attributes: dict[str, Value] = field(default_factory=dict)
    elements: bool = False  # one element of the memory, the variable of a loop


@dataclass(frozen=True, slots=True, eq=False)
class Memory(Distinct):
    """A storage as a value, so that it can be part of a choice."""

    storage: Storage


@dataclass(slots=True, eq=False)
class Instance(Distinct):
    """An object. ``cls`` is its class in the project, ``external`` the canonical name of its torch class or base.

    ``children`` are the items of a container (Sequential, ModuleList, ParameterList), ``keyed`` the positions of those
    that were set at an index that is not known, by its text. ``length`` is that of a list with a single item.
    """

    cls: Defined | None
    external: str | None
    attributes: dict[str, Value] = field(default_factory=dict)
    buffers: set[str] = field(default_factory=set)
    children: list[Value] = field(default_factory=list)
    keyed: dict[str, int] = field(default_factory=dict)
    complete: bool = True
    opaque: bool = False  # its constructor was not run: attributes not listed are unknown
    arguments: tuple[Value, ...] = ()
    origin: Origin | None = None
    escaped: str | None = None
    length: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Function(Distinct):
    """A function of the project, bound to ``instance`` if it is a method. ``owner`` is the class whose body has it."""

    defined: Defined
    instance: Value | None = None
    owner: Defined | None = None
    closure: dict[str, Value] = field(default_factory=dict)
    arguments: tuple[Value, ...] = ()
    keywords: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Lambda(Distinct):
    """A lambda expression with the names of its scope."""

    origin: Origin
    closure: dict[str, Value]


@dataclass(frozen=True, slots=True, eq=False)
class Builtin(Distinct):
    """An operation that the interpreter implements, such as a method of a tensor or of a list."""

    name: str
    call: Callable[..., Value]


@dataclass(frozen=True, slots=True, eq=False)
class Class:
    """A class of the project."""

    defined: Defined


@dataclass(frozen=True, slots=True)
class Api:
    """A name of a package that is described by tables, not read from source."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Super(Distinct):
    """``super()`` in a method of ``owner``."""

    instance: Instance
    owner: Defined


@dataclass(frozen=True, slots=True)
class Signal(Distinct):
    """The output of a forward: the weight that it comes from, and the operations since then.

    ``trail`` are the weights before that one, each with the activation after it, back to the last normalization or
    addition.
    """

    weight: Instance | None
    activation: str | None = None
    normalized: bool = False
    trail: tuple[tuple[Instance, str], ...] = ()

    def through(self, layer: Instance) -> Signal:
        """Return the output of a further layer."""
        if self.weight is None or self.activation is None or self.normalized:
            return Signal(layer)
        return Signal(layer, trail=(*self.trail, (self.weight, self.activation)))


@dataclass(frozen=True, slots=True, eq=False)
class Choice(Distinct):
    """One value if ``condition`` holds, another otherwise; ``size`` is the number of values to choose from."""

    condition: Condition
    then: Value
    otherwise: Value
    size: int = 2


Value = (
    Unknown
    | Unset
    | Constant
    | Symbol
    | Size
    | Sequence
    | Mapping
    | Tensor
    | Memory
    | Instance
    | Function
    | Lambda
    | Builtin
    | Class
    | Api
    | Super
    | Signal
    | Choice
)
MAX_CHOICES = 200
UNKNOWN = Unknown()
UNSET = Unset()
NONE = Constant(None)


def _short(text: str) -> str:
    """Return a text, or a digest of it if it is too long."""
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:64]}...{hashlib.blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"


def constant(value: object) -> Value:
    """Return a constant, or an unknown value if the constant is too large."""
    if isinstance(value, str | bytes):
        return Constant(value) if len(value) <= MAX_TEXT else UNKNOWN
    if isinstance(value, int):
        return Constant(value) if value.bit_length() <= MAX_BITS else UNKNOWN
    return Constant(value)


def joined(one: list[Value], other: list[Value], *, complete: bool, is_list: bool) -> Sequence:
    """Return a list with the items of two lists, cut to the maximum length.

    Raises OutOfBudgetError if the rest may contain parameters.
    """
    items = [*one, *other]
    if any(not isinstance(item, Constant | Symbol | Size) for item in items[MAX_ITEMS:]):
        raise OutOfBudgetError
    return Sequence(items[:MAX_ITEMS], complete and len(items) <= MAX_ITEMS, is_list)


def inside(value: Value) -> Iterator[Value]:
    """Yield a value, or the values in lists, mappings and choices, at any depth; each object once."""
    pending, seen = [value], set[int]()
    while pending:
        found = pending.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        match found:
            case Sequence(items=items):
                pending += reversed(items)
            case Mapping(items=mapping):
                pending += reversed(mapping.values())
            case Choice(_, then, otherwise):
                pending += (otherwise, then)
            case _:
                yield found


def element(tensor: Tensor) -> Tensor:
    """Return the variable of a loop over a tensor: a view that in the end covers all of it."""
    return Tensor(tensor.storage, part=tensor.part, elements=tensor.part is None or tensor.part is INEXACT)


def choose(condition: Condition, then: Value, otherwise: Value) -> Value:
    """Return a choice, or the value itself if both branches give the same.

    Raises OutOfBudgetError if there are too many values, since nested choices grow exponentially.
    """
    if then is otherwise or (isinstance(then, Constant | Symbol | Unknown | Unset) and then == otherwise):
        return then
    outcome = decide(condition, TRUE)
    if outcome is not None:
        return then if outcome else otherwise
    size = sum(value.size if isinstance(value, Choice) else 1 for value in (then, otherwise))
    if size > MAX_CHOICES:
        raise OutOfBudgetError
    return Choice(condition, then, otherwise, size)


def simplify(value: Value, given: Condition) -> Value:
    """Return the value without the choices that the path condition decides."""
    while isinstance(value, Choice):
        outcome = decide(value.condition, given)
        if outcome is None:
            return value
        value = value.then if outcome else value.otherwise
    return value


def leaves(value: Value, given: Condition) -> list[tuple[Condition, Value]]:
    """Yield every value that it may be, with the condition for it."""
    value = simplify(value, given)
    if not isinstance(value, Choice):
        return [(given, value)]
    found: list[tuple[Condition, Value]] = []
    for condition, branch in ((value.condition, value.then), (negate(value.condition), value.otherwise)):
        narrowed = all_of([given, condition])
        if narrowed != FALSE:
            found += leaves(branch, narrowed)
    return found


def text(value: Value) -> str:
    """Return a canonical text, equal for equal unknowns. Raises OutOfBudgetError for endless lists."""
    return _text(value, itertools.count(1))


def _text(value: Value, items: Iterator[int]) -> str:
    match value:
        case Constant(inner):
            return repr(inner)
        case Symbol(name) | Size(name):
            return name
        case Sequence(items=listed, is_list=is_list):
            parts = []
            for item in listed:
                if next(items) > MAX_ITEMS:
                    raise OutOfBudgetError
                parts.append(_text(item, items))
            return ("[{}]" if is_list else "({})").format(", ".join(parts))
        case Api(name):
            return name
        case Class(defined):
            return defined.qualname
        case Unknown():
            return "?"
        case Unset():
            return "<Unset>"
        case _:
            return f"<{type(value).__name__}#{value.number}>"
