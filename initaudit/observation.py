"""The interface of observers: questions, observations and undecided cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from initaudit.finding import Edit, Observer, Place
from initaudit.subjects import AnyFact
from initaudit.timeline import Chain, ParameterTimeline, SignalProfile


class Question(msgspec.Struct, frozen=True, order=True):
    """A question of a rule to an observer: subjects of one kind, by the name of their type.

    ``words`` narrows it down, in groups: the rule reports nothing in a file without a word of each group.
    """

    subject: str
    words: tuple[tuple[str, ...], ...] = ()


class Undecided(msgspec.Struct, frozen=True, kw_only=True):
    """Something an observer could not decide, and why: silence is never mistaken for "clean".

    ``unseen`` are the kinds of subject that could not be seen, by the names of their types, or of a field of one
    ("SignalProfile.loss"); empty for all kinds. ``remedy`` is what the user can do about it; such an item is
    reported even without `--show-unknown`.
    """

    place: Place | None
    subject: str
    reason: str
    unseen: tuple[str, ...] = ()
    remedy: str | None = None


Engine = Literal["local", "ray"]
"""What builds models for the probe: processes of this machine, or the tasks of a Ray cluster."""


class Headway(msgspec.Struct, frozen=True):
    """The progress of a run: what it works on, the current part, and how many of how many items are done."""

    what: str
    part: str = ""
    done: int = 0
    total: int = 1


Tell = Callable[[Headway], None]
"""A callback for the progress of a run."""


def silent(headway: Headway) -> None:
    """Ignore the progress."""


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model was built: versions, the platform, the device, the default dtype, and the seed of every build."""

    python: str
    torch: str
    platform: str
    device: str
    dtype: str
    seed: int


class ProvedFix(msgspec.Struct, frozen=True, kw_only=True):
    """The edits of a proved fix for a finding of a rule at some place."""

    code: str
    place: Place
    edits: tuple[Edit, ...]


class ModuleClass(msgspec.Struct, frozen=True, kw_only=True):
    """A module class that a file defines, and what its constructor can be given.

    ``missing`` are the arguments for which no value is known, with their annotations, and ``chosen`` those with a value
    of our choice, which may not fit; both are texts of JSON. ``parts`` are the module classes that its code names.
    ``identity`` and ``parts`` are dotted names; ``target`` is what the probe builds.
    """

    target: str
    identity: str
    place: Place
    missing: dict[str, str] = {}
    chosen: dict[str, str] = {}
    parts: tuple[str, ...] = ()


class InitializingCode(msgspec.Struct, frozen=True):
    """A function, a method, or the top level of a file (which has no ``name``) that initializes a model it makes."""

    filename: str
    name: str

    @property
    def words(self) -> str:
        """The code, as a part of a sentence."""
        return f"`{self.name}`" if self.name else f"the top level of {self.filename}"

    @property
    def target(self) -> str:
        """What the probe can build: the function, or one that has yet to be written."""
        return f"{self.filename}:{self.name if self.name.isidentifier() else 'FUNCTION'}"


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one observer saw in one file or one target.

    ``fixes`` are the proved fixes of its findings. ``comments`` says that the file may hold suppressions for
    initaudit. ``error`` says why it could not be read or built, and ``remarks`` are sentences that the user always
    sees. ``replayed`` says what was called to initialize the model again after a build on the meta device, where that
    was asked for. ``environment`` describes where the model was built, ``signal`` holds the measurements of a forward
    and a backward (the probe only). ``rank`` is that of this process if several share the observation; the first one
    reports. ``unbuilt`` are the classes of a file with something to report that no program builds, where the project is
    not made for others, and ``unreached`` the code that no call in the project leads to. ``classes``
    are the module classes of a file, if they were asked for, ``holds`` the dotted names of the classes of the model's
    modules, and ``built`` is False for a class that was found, and not built.
    """

    observer: Observer
    source: str  # filename as given, or target
    parameters: tuple[ParameterTimeline, ...] = ()
    chains: tuple[Chain, ...] = ()
    facts: tuple[AnyFact, ...] = ()
    undecided: tuple[Undecided, ...] = ()
    fixes: tuple[ProvedFix, ...] = ()
    comments: bool = False
    error: str | None = None
    remarks: tuple[str, ...] = ()
    replayed: str | None = None
    environment: Environment | None = None
    signal: SignalProfile | None = None
    rank: int = 0
    classes: tuple[ModuleClass, ...] = ()
    unbuilt: tuple[Place, ...] = ()
    unreached: tuple[Place, ...] = ()
    holds: tuple[str, ...] = ()
    built: bool = True

    @property
    def tensors(self) -> tuple[ParameterTimeline, ...]:
        """The first of the ``parameters`` at each path; ranks with other values of a tensor have one each."""
        kept: dict[object, ParameterTimeline] = {}
        for number, timeline in enumerate(self.parameters):
            kept.setdefault(number if timeline.path is None else timeline.path, timeline)
        return tuple(kept.values())

    @property
    def says_something(self) -> bool:
        return bool(
            self.parameters or self.chains or self.facts or self.undecided or self.comments or self.error is not None
        )
