"""The base class of rules. Each rule has a file of its own with its documentation, metadata, examples and check.

A rule takes one kind of subject (a parameter's timeline, a chain of weights, the measurements of a forward pass, or a
fact) and yields findings. It imports only the vocabulary: never an observer, a report, libcst or torch.
"""

from __future__ import annotations

import enum
import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import ClassVar, Generic, TypeVar

import msgspec

from initaudit.finding import Advice, Category, Evidence, Finding, Fix, Observer, Place, Severity, url_of_rule
from initaudit.observation import Question
from initaudit.subjects.base import Fact
from initaudit.timeline import Chain, ParameterTimeline, SignalProfile

Subject = ParameterTimeline | Chain | SignalProfile | Fact
S = TypeVar("S", bound=Subject)

BOTH = frozenset(Observer)
ANALYZER = frozenset({Observer.ANALYZER})
PROBE = frozenset({Observer.PROBE})


class Default(enum.Enum):
    """When a rule runs."""

    ON = "on"
    PREVIEW = "preview"  # with --preview
    OFF = "off"  # when selected by code or name


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A source file that the rule must (``invalid``) or must not (``valid``) report.

    ``fixed`` is the file after the rule's fix, ``target`` the attribute that the probe builds, if any, and ``count`` the
    number of findings. With several ``ranks``, each of that many processes calls the target and audits the result. With
    ``missing_keys``, the probe replays the load of a state dict without them. ``advice`` says that no fix mends all of it.
    """

    source: str
    fixed: str | None = None
    target: str | None = None
    count: int = 1
    ranks: int = 1
    missing_keys: tuple[str, ...] = ()
    advice: bool = False

    def text(self) -> str:
        """Return the source, dedented, without the leading newline of a triple-quoted string."""
        return inspect.cleandoc(self.source) + "\n"


class Rule(ABC, Generic[S]):
    """One rule. Its docstring is its documentation, under these headings:

    What it does, Why is this bad?, Example, Use instead, Known problems, References.

    ``words`` are groups of words: every file that the rule can report contains one word of each group. It is empty if the
    kind of subject is specific enough. ``trying`` are the observers that run the rule only with --preview. ``reads`` are the
    fields of its subject that the rule needs, as an observer may know only others. A rule that runs ``always`` is turned off
    only by its own code or name, not by a prefix, a category or a selection of other rules. A rule with ``on_replay`` runs if
    a model is built on the meta device as well, as with `--replay`. What a rule that ``prevents_building`` reports keeps
    the class around from being built, so that it weighs as much in one that nothing builds.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    category: ClassVar[Category]
    severity: ClassVar[Severity]
    default: ClassVar[Default] = Default.ON
    always: ClassVar[bool] = False
    on_replay: ClassVar[bool] = False
    prevents_building: ClassVar[bool] = False
    observers: ClassVar[frozenset[Observer]]
    trying: ClassVar[frozenset[Observer]] = frozenset()
    subject: ClassVar[type]
    words: ClassVar[tuple[tuple[str, ...], ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()
    supersedes: ClassVar[tuple[str, ...]] = ()
    invalid: ClassVar[tuple[Example, ...]] = ()
    valid: ClassVar[tuple[Example, ...]] = ()

    @abstractmethod
    def check(self, subject: S) -> Iterator[Finding]:
        """Yield the findings about ``subject``."""

    @classmethod
    def watched_by(cls, *, preview: bool) -> frozenset[Observer]:
        """Return the observers that run the rule."""
        return cls.observers if preview else cls.observers - cls.trying

    @classmethod
    def needs(cls, unseen: Iterable[str]) -> bool:
        """Return whether the rule needs one of these kinds of subject, or fields of them, that an observer did not see."""
        needed = {cls.subject.__name__, *(f"{cls.subject.__name__}.{field}" for field in cls.reads)}
        return not needed.isdisjoint(unseen)

    @classmethod
    def question(cls) -> Question:
        """Return what this rule asks of an observer."""
        return Question(cls.subject.__name__, cls.words)

    @classmethod
    def url(cls) -> str:
        """Return the address of the rule's page; an empty string while no site is published."""
        return url_of_rule(cls.code)

    @classmethod
    def documentation(cls) -> str:
        """Return the rule's documentation, in Markdown."""
        return inspect.cleandoc(cls.__doc__ or "")

    @classmethod
    def summary(cls) -> str:
        """Return the first sentence under "What it does"."""
        _, _, body = cls.documentation().partition("## What it does\n")
        paragraph = " ".join(body.partition("\n\n")[0].split())
        return re.split(r"(?<=\.) (?=[A-Z])", paragraph)[0] or cls.name

    def finding(
        self,
        place: Place,
        message: str,
        *,
        evidence: Iterable[Evidence] = (),
        severity: Severity | None = None,
        model: str | None = None,
        parameter: str | None = None,
        affects: tuple[str, ...] = (),
        fix: Fix | None = None,
        advice: Iterable[Advice] = (),
        group: str = "",
        decision: str = "",
    ) -> Finding:
        """Return a finding with this rule's metadata."""
        return Finding(
            code=self.code,
            name=self.name,
            severity=severity or self.severity,
            category=self.category,
            message=message,
            place=place,
            evidence=tuple(evidence),
            model=model,
            parameter=parameter,
            affects=affects,
            fix=fix,
            advice=tuple(advice),
            url=self.url(),
            group=group,
            decision=decision,
        )


AnyRule = Rule[ParameterTimeline] | Rule[Chain] | Rule[SignalProfile] | Rule[Fact]
