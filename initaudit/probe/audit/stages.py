"""The stages of an audit: build, compare, initialize again, run, train; without memory, one build alone."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import torch

from initaudit.finding import Observer, Place
from initaudit.observation import Observation, Undecided
from initaudit.probe.audit.audit import ABSTRACT, Audit
from initaudit.probe.audit.instance import audit_instance
from initaudit.probe.blame import failure_of_ours, is_ours
from initaudit.probe.forward.control import Forward
from initaudit.probe.ranks.compared import (
    TIMEOUT,
    built_together,
    held_here,
    is_spread,
    several,
)
from initaudit.probe.ranks.launched import note_failure
from initaudit.probe.record.abstract import Abstract, abstract_build, raises_anyway
from initaudit.probe.record.lines import place_of_error
from initaudit.probe.record.poison import (
    BuildError,
    control_build,
)
from initaudit.probe.request import Stage, Target, TargetError
from initaudit.probe.target.resolve import Resolved
from initaudit.probe.unseen import (
    COVERAGE,
)  # fmt: skip
from initaudit.probe.words import describe
from initaudit.subjects.builds import BuildFailure

NO_MEMORY = ("can't allocate memory", "cannot allocate memory", "not enough memory", "out of memory")
"""How the allocators of torch say that they refuse."""


def audit(target: Target, resolved: Resolved, about_to: Callable[[Stage, Observation | None], None]) -> Observation:
    """Build and audit a model, saying before each stage what is about to happen and what is known so far."""
    place = resolved.place()
    about_to(Stage.BUILDING, None)
    if resolved.is_instance:
        return audit_instance(target, resolved.attribute, place)
    if target.abstract == "always":
        return audit_abstractly(target, resolved, place)
    try:
        control = control_build(resolved.build, target.seed)
    except TargetError:
        raise
    except (Exception, SystemExit) as error:  # whatever a constructor raises
        if target.abstract == "auto" and refused_memory(error):
            return audit_abstractly(target, resolved, place)
        return not_built(resolved, place, error)
    spread = several() and (bool(target.turn) or is_spread(control.model))  # a forward may gather what is sharded
    running = Audit(target, resolved.build, place, control)
    about_to(Stage.COMPARING, running.observation())
    running.compare()
    held = held_here(control.model, running.timelines.timelines) if spread else {}  # before a forward changes buffers
    running.reseed()
    about_to(Stage.RESTORING, running.observation())
    if target.replays:
        running.replay(Resolved(msgspec.structs.replace(target, device="meta"), resolved.attribute).build)
    else:
        running.restore()
    about_to(Stage.RUNNING, running.observation())
    running.follow()
    about_to(Stage.TRAINING, running.observation())
    running.train()
    seen = running.observation()
    if not spread:
        return seen
    return built_together(seen, held, running.seeded_apart, target.timeout if target.turn else TIMEOUT)


def refused_memory(error: BaseException) -> bool:
    """Whether there was no memory for what a constructor asked for."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in said for words in NO_MEMORY)


def audit_abstractly(target: Target, resolved: Resolved, place: Place) -> Observation:
    """Watch a construction without memory: what is written is seen, and no value, build or forward is compared."""
    try:
        built = abstract_build(resolved.build, target.seed)
    except BuildError as failure:
        if raises_anyway(resolved.build, failure.error):
            return not_built(resolved, place, failure.error)
        said = (
            failure_of_ours(failure.error)
            if is_ours(failure.error)
            else f"it cannot be built without memory: the constructor raised {describe(failure.error)}"
        )
        return Observation(observer=Observer.PROBE, source=target.spec, error=said)
    running = Audit(target, resolved.build, place, built)
    running.forward = Forward(skipped=ABSTRACT)
    seen = running.observation()
    guesses = [one for one in built.watch.guesses if one is not None] if isinstance(built.watch, Abstract) else []
    doubts = tuple(
        Undecided(
            place=at,
            subject=target.spec,
            reason="construction needs a value here that does not exist without memory",
            unseen=(COVERAGE,),
        )
        for at in dict.fromkeys(one.place for one in guesses)
    )
    return msgspec.structs.replace(seen, undecided=(*seen.undecided, *doubts))


def not_built(resolved: Resolved, place: Place, error: BaseException) -> Observation:
    """A model whose constructor raised: at the line that did, or else where it is defined."""
    note_failure(resolved.target.turn)
    if is_ours(error):
        return Observation(observer=Observer.PROBE, source=resolved.target.spec, error=failure_of_ours(error))
    failure = BuildFailure(
        place=place_of_error(error) or place,
        target=resolved.target.spec,
        how="raised",
        detail=describe(error),
        missing=resolved.missing() if isinstance(error, TypeError) else (),
    )
    return Observation(observer=Observer.PROBE, source=resolved.target.spec, facts=(failure,))
