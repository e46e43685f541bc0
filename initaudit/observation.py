"""What one observer saw in a file or of a target, what it was asked, and what it could not decide."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from initaudit.finding import Edit, Observer, Place
from initaudit.subjects import AnyFact
from initaudit.timeline import Chain, ParameterTimeline, SignalProfile


class Question(msgspec.Struct, frozen=True, order=True):
    """What a rule asks of an observer: subjects of one kind, by the name of their type.

    ``words`` narrow it down, in groups: where no word of one of the groups stands, the rule has nothing to say.
    """

    subject: str
    words: tuple[tuple[str, ...], ...] = ()


class Undecided(msgspec.Struct, frozen=True, kw_only=True):
    """Something an observer could not decide, and why: silence is never mistaken for "clean".

    ``unseen`` are the kinds of subject that could not be seen, by the names of their types, or of a field of one
    ("SignalProfile.loss"); none for all kinds. ``remedy`` is what the user can do about it: such an item is told
    without being asked for.
    """

    place: Place | None
    subject: str
    reason: str
    unseen: tuple[str, ...] = ()
    remedy: str | None = None


class Headway(msgspec.Struct, frozen=True):
    """How far a run is: what it is about, which part of that it does, and how many of how many are done, if several."""

    what: str
    part: str = ""
    done: int = 0
    total: int = 1


Tell = Callable[[Headway], None]
"""Takes the headway of a run each time it changes."""


def silent(headway: Headway) -> None:
    """Tell nobody."""


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model was built: versions, the platform, the device, the default dtype, and the seed of every build."""

    python: str
    torch: str
    platform: str
    device: str
    dtype: str
    seed: int


class ProvedFix(msgspec.Struct, frozen=True, kw_only=True):
    """The edits that mend what a rule says of some place: the file was read with them, and they help."""

    code: str
    place: Place
    edits: tuple[Edit, ...]


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one observer saw in one file or one target.

    ``fixes`` are those of its findings that proved to help.
    ``comments`` says that the file may hold suppressions that are written for this tool. ``error`` says why it could
    not be looked at, and ``remarks`` are sentences that the user is to see in any case. ``environment`` is where the
    model was built, ``signal`` what a forward and a backward of it show (the probe only). ``rank`` is that of this
    process where several have seen the same together: the first one tells.
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
    environment: Environment | None = None
    signal: SignalProfile | None = None
    rank: int = 0

    @property
    def says_something(self) -> bool:
        return bool(
            self.parameters or self.chains or self.facts or self.undecided or self.comments or self.error is not None
        )
