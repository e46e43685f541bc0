"""What rules return and reports read: findings, their places, evidence, advice and fixes.

This module knows nothing about how a finding was made, and imports neither torch nor libcst.
Rows and columns are 1-based, columns count code points, ends are exclusive.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import PurePath
from typing import TypeVar, cast

import msgspec

T = TypeVar("T")
Part = TypeVar("Part")

DOCUMENTATION_URL = ""
"""Address of the published documentation, with a page for each rule below `rules/`; empty while there is none."""


def url_of_rule(code: str) -> str:
    """Return the address of a rule's page; empty while no site is published."""
    return f"{DOCUMENTATION_URL.rstrip('/')}/rules/{code}/" if DOCUMENTATION_URL else ""


class Severity(enum.Enum):
    """The severity of a finding; ``rank`` orders severities. By default, notes never fail a run."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        return ("note", "warning", "error").index(self.value)


class Category(enum.Enum):
    """The category of a rule: definitely wrong, probably wrong, style, or about the tool itself."""

    CORRECTNESS = "correctness"
    SUSPICIOUS = "suspicious"
    STYLE = "style"
    TOOL = "tool"


class Observer(enum.Enum):
    """An observer: the analyzer reads source, the probe runs the model."""

    ANALYZER = "analyzer"
    PROBE = "probe"


class Applicability(enum.Enum):
    """Whether a fix keeps the meaning of the program (safe), may change it (unsafe), or is only displayed."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    DISPLAY = "display"


class Place(msgspec.Struct, frozen=True, order=True):
    """A span of source text in one file (or in one cell of a notebook)."""

    filename: str
    row: int
    column: int
    end_row: int
    end_column: int
    cell: int | None = None

    def seen_from(self, here: Place) -> str:
        """Describe the start of this place as seen from another: `line 10`, `cell 5, line 10`, `line 10 of net.py`."""
        cell = f"cell {self.cell}, " if self.cell is not None else ""
        name = "" if self.filename == here.filename else f" of {PurePath(self.filename).name}"
        return f"{cell}line {self.row}{name}"


class Evidence(msgspec.Struct, frozen=True):
    """What one observer saw."""

    observer: Observer
    detail: str


class Edit(msgspec.Struct, frozen=True):
    """Replace the text at ``place`` by ``content``."""

    content: str
    place: Place


class Remedy(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What a fix does to the statement around ``place``. Names of torch are written in full here."""

    place: Place


class Replace(Remedy, frozen=True, kw_only=True, tag=True):
    """Replace the expression at ``place``, or the one in its statement that reads like ``old``."""

    new: str
    old: str | None = None


class Call(Remedy, frozen=True, kw_only=True, tag=True):
    """Call the expression that is only named, not called."""


class Recall(Remedy, frozen=True, kw_only=True, tag=True):
    """Call another ``function``, or pass other arguments: keep at most ``keep`` positional ones, and add ``given``.

    ``old`` is the last name of the called function, ``drop`` holds the keywords to remove.
    """

    old: str
    function: str | None = None
    keep: int | None = None
    drop: tuple[str, ...] = ()
    given: tuple[tuple[str, str], ...] = ()


class Uncopy(Remedy, frozen=True, kw_only=True, tag=True):
    """Write to the original instead of the copy that ``method`` makes."""

    method: str


class Follow(Remedy, frozen=True, kw_only=True, tag=True):
    """Add statements after the one that ``binds`` an attribute, or at the end of the block (``last``)."""

    code: str
    binds: str | None = None
    last: bool = False


class Guard(Remedy, frozen=True, kw_only=True, tag=True):
    """Move the statement into a block with a ``header``, such as ``with torch.no_grad():``."""

    header: str


class Postpone(Remedy, frozen=True, kw_only=True, tag=True):
    """Move the statement to the end of its function."""


class CopyInto(Remedy, frozen=True, kw_only=True, tag=True):
    """Copy the value into the tensor of a variable, instead of rebinding the variable."""


class Comprehend(Remedy, frozen=True, kw_only=True, tag=True):
    """Create each element of a repeated list separately (``[x] * n``)."""


class Distinguish(Remedy, frozen=True, kw_only=True, tag=True):
    """Initialize the tensor ``name`` by its dimensions, where a loop names rows of it."""

    name: str


class Fix(msgspec.Struct, frozen=True):
    """A fix of a finding: edits of one file that are applied together or not at all.

    A rule states the changes in ``remedies``; the edits are made from them, only if they prove to help.
    """

    applicability: Applicability
    message: str
    edits: tuple[Edit, ...] = ()
    remedies: tuple[Remedy, ...] = ()


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """The call of ``nn.init`` that should initialize a parameter, named as in ``model``, the class that declares it.

    ``nonlinearity``, ``mode``, ``std`` and ``val`` are its arguments of these names, ``gain_for`` the nonlinearity
    whose gain it is passed. ``str()`` of it is a line for a method of that class.
    """

    model: str
    parameter: str
    initializer: str
    nonlinearity: str | None = None
    gain_for: str | None = None
    std: float | None = None
    mode: str | None = None
    val: float | None = None

    @property
    def target(self) -> str:
        """The parameter as the code of its class spells it: ``self.layers[0].weight``."""
        if "[" in self.parameter:
            return self.parameter  # of a model that a function or a script builds, as its code spells it
        owner = "model" if self.model.startswith("torch.") else "self"  # user code cannot change a class of torch
        parts = (f"[{part}]" if part.isdigit() else f".{part}" for part in self.parameter.split("."))
        return owner + "".join(parts)

    def __str__(self) -> str:
        arguments = [self.target]
        if self.val is not None:
            arguments.append(f"{self.val:g}")
        if self.mode is not None:
            arguments.append(f'mode="{self.mode}"')
        if self.nonlinearity is not None:
            arguments.append(f'nonlinearity="{self.nonlinearity}"')
        if self.gain_for is not None:
            arguments.append(f'gain=nn.init.calculate_gain("{self.gain_for}")')
        if self.std is not None:
            arguments.append(f"std={self.std:g}")
        return f"nn.init.{self.initializer}({', '.join(arguments)})"


class Change(msgspec.Struct, frozen=True):
    """A parameter, by its path in a built model, and the call that initializes it after the build."""

    path: str
    advice: Advice


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, at the line of user code that has to change.

    ``parameter`` is the parameter (or buffer) it is about, as named in ``model``, the qualified name of the declaring
    class. A finding that is the cause of several others lists the parameters it leaves wrong in ``affects``.
    ``advice`` is what to call for its parameters, where that is one call each. Findings of one ``group`` in a file have
    one cause, and become one finding. Those of one ``decision``, in whatever files, weigh once: all but
    the first are notes.
    ``fingerprint`` is filled in by the engine: it is stable under line moves and ignores who saw it.
    """

    code: str
    name: str
    severity: Severity
    category: Category
    message: str
    place: Place
    evidence: tuple[Evidence, ...]
    model: str | None = None
    parameter: str | None = None
    affects: tuple[str, ...] = ()
    fix: Fix | None = None
    advice: tuple[Advice, ...] = ()
    url: str = ""
    group: str = ""
    decision: str = ""
    fingerprint: str = ""

    @property
    def subjects(self) -> frozenset[str]:
        """All parameters that the finding is about."""
        return frozenset(self.affects) | ({self.parameter} if self.parameter else frozenset())


def class_name(model: str | None) -> str | None:
    """Return the name of the declaring class, without its module, which depends on the observer."""
    return model.rpartition(".")[2] if model else None


def listed(parameter: str, model: str | None, within: str | None) -> str:
    """Return a parameter as a finding about the class ``within`` lists it: by its own class, if that is another."""
    own = class_name(model)
    return parameter if own == class_name(within) else f"{own}.{parameter}"


def moved(value: T, to: Callable[[Place], Place]) -> T:
    """Return a value with every place that it holds, however deep, at another place."""
    return _changed(value, Place, to)


def _changed(value: T, kind: type[Part], to: Callable[[Part], Part]) -> T:
    """Return a value in which every part of a kind, however deep, is what ``to`` makes of it."""
    if isinstance(value, kind):
        return cast("T", to(value))
    if isinstance(value, Place):  # of which every part is needed to find it again
        return value
    if isinstance(value, tuple):
        return cast("T", tuple(_changed(each, kind, to) for each in value))
    if isinstance(value, msgspec.Struct):
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        changed = {name: new for name, old in fields.items() if (new := _changed(old, kind, to)) is not old}
        return msgspec.structs.replace(value, **changed)
    return value


LONGEST = 400
"""Maximum length of a name or a text of user code, in characters."""
LONGEST_CODE = 200
"""Maximum length of a piece of code in a sentence, in characters."""
LONGEST_MESSAGE = 2_000
LONGEST_EDIT = 20_000
"""Maximum length of the text that one edit of a fix inserts, in characters."""
MOST_EVIDENCE, MOST_AFFECTED = 20, 200
"""Maximum numbers of pieces of evidence, and of parameters, that one finding lists."""


def shortened(text: str, longest: int = LONGEST) -> str:
    """Cut a long text, and say how many characters are left out."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}... ({len(text) - longest:,} more characters)"


def sentence(text: str) -> str:
    """Return a sentence of bounded length. Long pieces of code in it are cut first, so that the rest stays readable."""
    if len(text) <= LONGEST_CODE:
        return text
    parts = (shortened(part, LONGEST_CODE) if n % 2 else part for n, part in enumerate(text.split("`")))
    return shortened("`".join(parts), LONGEST_MESSAGE)


def bounded(value: T) -> T:
    """Return the observation of a model with every text in it cut to a bounded length."""
    return _changed(value, str, shortened)


def presentable(finding: Finding) -> Finding:
    """Return a finding of bounded size, whatever the names and texts of user code; it says what was cut."""
    pieces = [Evidence(piece.observer, sentence(piece.detail)) for piece in finding.evidence[:MOST_EVIDENCE]]
    observer = finding.evidence[0].observer if finding.evidence else Observer.ANALYZER
    if more := len(finding.evidence) - MOST_EVIDENCE:
        pieces += [Evidence(observer, f"and {more:,} more like these")] if more > 0 else []
    if (more := len(finding.affects) - MOST_AFFECTED) > 0:
        pieces.append(Evidence(observer, f"{more:,} more parameters are affected than are listed"))
    return msgspec.structs.replace(
        finding,
        message=sentence(finding.message),
        evidence=tuple(pieces),
        model=bounded(finding.model),
        parameter=bounded(finding.parameter),
        affects=bounded(finding.affects[:MOST_AFFECTED]),
        fix=_short(finding.fix) if finding.fix is not None else None,
    )


def _short(fix: Fix) -> Fix:
    """Return a fix as advice in words if its edits are too long."""
    if any(len(edit.content) > LONGEST_EDIT for edit in fix.edits):
        return Fix(Applicability.DISPLAY, f"{sentence(fix.message)} (too long to be written)")
    return msgspec.structs.replace(fix, message=sentence(fix.message))
