"""The kinds and fields of subjects that the probe cannot see after each kind of failure.

An observer says what it did not see. What that means for which rule is decided elsewhere.
"""

from __future__ import annotations

import msgspec

from initaudit.finding import Place
from initaudit.observation import Observation, Undecided
from initaudit.probe.request import Stage, Target
from initaudit.subjects.builds import Irreproducible, SeedIgnored
from initaudit.subjects.layers import CopiedLayers, EmbeddingWrite, GainDraw
from initaudit.subjects.loops import ModelLoop
from initaudit.subjects.lost_on_meta import ChangedOnLoad, NotRestored
from initaudit.subjects.lost_writes import CopyWrite, DerivedWrite
from initaudit.subjects.module_tests import NameTest
from initaudit.subjects.order import EarlyWalk, Overwritten
from initaudit.subjects.weights import EqualUnits, LowRankFactors, WeightUse, ZeroFactors
from initaudit.timeline import Chain, ParameterTimeline, SignalProfile

COVERAGE, VALUES, READ_FIRST = (
    f"{ParameterTimeline.__name__}.{field}" for field in ("coverage", "values", "read_first")
)
SIGNAL = (SignalProfile.__name__, WeightUse.__name__)
TRAINING = (EqualUnits.__name__, ZeroFactors.__name__)
FORWARD = (*SIGNAL, Chain.__name__, *TRAINING, READ_FIRST)
COMPARED = (COVERAGE, Irreproducible.__name__, SeedIgnored.__name__)
RESTORED = (NotRestored.__name__,)
LOADED = (ChangedOnLoad.__name__,)
STARTS = tuple(
    kind.__name__
    for kind in (
        CopiedLayers, CopyWrite, DerivedWrite, EarlyWalk, EmbeddingWrite, GainDraw, LowRankFactors, ModelLoop, NameTest,
        Overwritten,
    )
)  # fmt: skip
"""What the values and the events of a construction show once builds were compared."""
OF_ABSTRACT = (*FORWARD, VALUES, *COMPARED[1:], *RESTORED, *STARTS)
OF_RUN_INSTANCE = (*COMPARED, *RESTORED, *STARTS)
OF_INSTANCE = (*FORWARD, *OF_RUN_INSTANCE)

BY_STAGE = {
    Stage.COMPARING: (*COMPARED, *STARTS, *RESTORED, *FORWARD),
    Stage.RESTORING: (*RESTORED, *FORWARD),
    Stage.RUNNING: FORWARD,
    Stage.TRAINING: TRAINING,
}


def failed(target: Target, seen: Observation, stage: Stage, place: Place, how: str) -> Observation:
    """Return what is known of a model where a stage failed: an error when it is one of what the user gave."""
    reason = f"{stage.value} {how}"
    if stage is Stage.RUNNING and target.gives_inputs:
        return with_error(seen, f"{reason}, on the inputs that were given")
    doubt = Undecided(place=place, subject=target.spec, reason=reason, unseen=BY_STAGE.get(stage, ()))
    return msgspec.structs.replace(seen, undecided=(*seen.undecided, doubt))


def with_error(seen: Observation, error: str) -> Observation:
    """Return what was seen with one more thing that could not be done."""
    return msgspec.structs.replace(seen, error="; ".join(filter(None, (seen.error, error))))
