"""One audit: the control build, what the fills and the forward showed, and all of it as an observation."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator

import msgspec
import torch

from initaudit.finding import Observer, Place
from initaudit.observation import Environment, Observation, Question, Undecided
from initaudit.probe.blame import failure_of_ours, is_ours
from initaudit.probe.facts.drawn import weight_uses
from initaudit.probe.facts.lost_writes import lost_writes
from initaudit.probe.facts.name_tests import name_tests
from initaudit.probe.facts.nested import nested_missed
from initaudit.probe.facts.order import early_walks, overwritten
from initaudit.probe.facts.seeds import ignoring_seed
from initaudit.probe.facts.starts import starts, trained
from initaudit.probe.facts.timelines import Timelines
from initaudit.probe.forward.control import GIVE, Forward, run_forward
from initaudit.probe.forward.inputs import inputs_for
from initaudit.probe.forward.neutral import zeroed, zeroed_memory
from initaudit.probe.ranks.compared import (
    Parts,
    held_here,
    rank,
    unwritten_shards,
)
from initaudit.probe.record.fills import Content, filling
from initaudit.probe.record.lines import place_of_error
from initaudit.probe.record.poison import (
    BuildError,
    Built,
    Make,
    Verdict,
    build,
    judge,
    tensors_of,
)
from initaudit.probe.replay.compared import Replay, Replayed
from initaudit.probe.replay.restore import not_restored
from initaudit.probe.request import Target, TargetError
from initaudit.probe.target.module_classes import held_classes
from initaudit.probe.training.steps import UntrainableError
from initaudit.probe.training.symmetry import stuck
from initaudit.probe.unseen import (
    COMPARED,
    FORWARD,
    LOADED,
    OF_ABSTRACT,
    RESTORED,
    SIGNAL,
    TRAINING,
)  # fmt: skip
from initaudit.probe.words import describe, few
from initaudit.subjects.base import Fact
from initaudit.subjects.builds import SeedIgnored
from initaudit.subjects.lost_on_meta import NotRestored
from initaudit.subjects.weights import EqualUnits, ZeroFactors
from initaudit.timeline import Coverage, Kind, ParameterTimeline, SignalProfile

ABSTRACT = "it was built without memory, and has no values"


class Audit:
    """One model: the control build, then what the fills showed, then what a forward showed."""

    def __init__(self, target: Target, make: Make, definition: Place, control: Built) -> None:
        self.target = target
        self.make = make
        self.definition = definition
        self.control = control
        self.verdict = Verdict()
        self.timelines = Timelines(control, self.verdict, definition, target.spec)
        self.forward = Forward()
        self.starts: tuple[Fact, ...] = ()
        self.lost: tuple[NotRestored, ...] = ()
        self.unrestored: BaseException | None = None
        self.replayed = Replayed()
        self.unseeded: tuple[SeedIgnored, ...] = ()
        self.stuck: tuple[EqualUnits | ZeroFactors, ...] = ()
        self.untrained: BaseException | None = None
        self.refused: str | None = None

    def compare(self) -> None:
        """Build again under the fills, and settle what every parameter's memory holds."""
        self.verdict = judge(self.make, self.target.seed, self.control)
        self.verdict.decisions = [*self.control.watch.decisions, *self.verdict.decisions]
        self.timelines = Timelines(self.control, self.verdict, self.definition, self.target.spec, self.timelines)
        self.starts = (
            *starts(self.control.model, self.timelines),
            *lost_writes(self.timelines),
            *early_walks(self.timelines),
            *overwritten(self.timelines),
            *name_tests(self.timelines.watch),
            *nested_missed(self.timelines.watch),
            *unwritten_shards(self.timelines),
        )

    def follow(self) -> None:
        """Run a forward."""
        self.forward = run_forward(self.control.model, self.timelines, self.target, self.make)

    def replay(self, on_meta: Make) -> None:
        """Build on the meta device and initialize again, as large models are."""
        try:
            self.replayed = Replay(self.control.model, self.timelines, self.make, on_meta, self.target).run()
        except TargetError as error:
            self.refused = str(error)

    def restore(self) -> None:
        """Initialize a copy once more that has lost its values, if anybody asks."""
        if Question(NotRestored.__name__) not in self.target.questions:
            return
        try:
            self.lost = tuple(not_restored(self.control.model, self.timelines, self.target.seed))
        except Exception as error:  # whatever copying the model or the user's initializers raise
            self.unrestored = error

    def train(self) -> None:
        """Train a model for a few steps, if anybody asks for what that shows, and an input is known."""
        asked = {Question(fact.__name__) for fact in (EqualUnits, ZeroFactors)}
        model = self.control.model
        if not asked & self.target.questions or self.forward.skipped is not None:
            return
        try:
            given = inputs_for(model, self.target)
            if given is not None:
                signal = self.forward.signal
                multiplied = {layer.source for layer in signal.layers} if signal is not None else set[str]()
                make, influenced = self.forward.make or self.make, self.forward.influenced
                with zeroed_memory() if self.forward.allocates else contextlib.nullcontext():
                    found = stuck(model, make, given, self.target.seed, self.timelines, multiplied, influenced)
                    self.stuck = tuple(found)
        except Exception as error:  # whatever the user's model raises
            self.untrained = error

    def seeded_apart(self) -> Parts:
        """Build from another seed on each rank; nothing if that raises."""
        try:
            built = build(self.make, self.target.seed + 1 + rank(), filling(Content.ZERO))
        except BuildError:
            return {}
        return held_here(built.model, ())

    def reseed(self) -> None:
        """Build from another seed, if anybody asks what does not change."""
        if Question(SeedIgnored.__name__) not in self.target.questions:
            return
        try:
            self.unseeded = tuple(ignoring_seed(zeroed(self.make), self.target.seed, self.timelines))
        except Exception as error:  # whatever the constructor raises
            self.verdict.once = self.verdict.once or error

    def observation(self) -> Observation:
        """Everything that was seen so far."""
        return Observation(
            observer=Observer.PROBE,
            source=self.target.spec,
            parameters=tuple(self._used(timeline) for timeline in self.timelines.timelines),
            chains=self.forward.chains,
            facts=(
                *self.timelines.facts(),
                *trained(self.starts, self.forward.signal),
                *self.lost,
                *self.replayed.facts,
                *self.unseeded,
                *self.stuck,
                *weight_uses(self.forward.signal, self.timelines),
            ),
            undecided=tuple(self._undecided()),
            environment=environment(self.target, self.control.model),
            signal=self.forward.signal,
            error=self._error(),
            remarks=self._remarks(),
            replayed=self.replayed.said,
            holds=held_classes(self.control.model) if self.target.fed else (),
        )

    def _error(self) -> str | None:
        """What could not be done as it was asked for: a failure of ours, or inputs that the forward does not take."""
        if self.failure is not None:
            return failure_of_ours(self.failure)
        refused = self.forward.refused if self.target.gives_inputs else None
        return "; ".join(filter(None, (self.refused, refused))) or None

    def _remarks(self) -> tuple[str, ...]:
        """What to do about inputs that were inferred, and that the forward does not take."""
        if self.forward.refused is None or self.target.gives_inputs:
            return ()
        if "--input-size" in self.forward.refused:
            return (self.forward.refused,)
        return (f"on inferred inputs {self.forward.refused}; {GIVE}",)

    @property
    def failure(self) -> BaseException | None:
        """The first failure of our own, which is never reported as one of the model."""
        raised = (
            self.control.watch.failure,
            self.verdict.watch_failure,
            self.forward.failure,
            *(error for error in (self.unrestored, self.untrained) if error is not None and _is_failure(error)),
        )
        return next((error for error in raised if error is not None), None)

    def _used(self, timeline: ParameterTimeline) -> ParameterTimeline:
        """An unwritten tensor with what the forward showed of it."""
        usage = self.forward.usages.get(timeline.path or "")
        if usage is not None:
            timeline = msgspec.structs.replace(timeline, usage=usage)
        raw = timeline.kind is Kind.BUFFER and timeline.coverage in (Coverage.NEVER, Coverage.PARTIAL)
        if not raw or self.forward.read is None:
            return timeline
        return msgspec.structs.replace(timeline, read_first=timeline.path in self.forward.read)

    def _undecided(self) -> Iterator[Undecided]:
        for failure in filter(None, (self.control.failure, self.verdict.failure)):
            reason = f"construction depends on uninitialized memory: with other content it raises {describe(failure)}"
            yield self._doubt(reason, COMPARED, place=place_of_error(failure))
            break
        if self.verdict.once is not None:
            yield self._doubt(
                f"builds were not compared, since a second one raises {describe(self.verdict.once)}", COMPARED
            )
        yield from self.timelines.undecided()
        if self.unrestored is not None:
            reason = f"what a build on meta loses was not judged: initializing again raised {describe(self.unrestored)}"
            yield self._doubt(reason, RESTORED)
        for reason, remedy in self.replayed.reasons:
            yield self._doubt(reason, (*RESTORED, *LOADED), remedy=remedy)
        forward = self.forward
        if forward.skipped is not None:
            reason = f"chains, signal, symmetry and reads of buffers were not judged: {forward.skipped}"
            unseen = OF_ABSTRACT if forward.skipped == ABSTRACT else FORWARD
            yield self._doubt(reason, unseen, remedy=forward.remedy)
        yield from self._dependent()
        if self.untrained is not None:
            known = isinstance(self.untrained, UntrainableError)
            why = str(self.untrained) if known else f"training it raised {describe(self.untrained)}"
            yield self._doubt(f"symmetry was not judged: {why}", TRAINING)
        if forward.unmeasured is not None:
            yield self._doubt(f"the signal was not judged: {forward.unmeasured}", SIGNAL, remedy=forward.remedy)
        for reason in forward.left_out:
            yield self._doubt(reason, SIGNAL)
        for field, reason in (forward.signal.skipped if forward.signal is not None else {}).items():
            yield self._doubt(reason, (f"{SignalProfile.__name__}.{field}",))

    def _doubt(
        self, reason: str, unseen: tuple[str, ...], *, place: Place | None = None, remedy: str | None = None
    ) -> Undecided:
        return Undecided(
            place=place or self.definition, subject=self.target.spec, reason=reason, unseen=unseen, remedy=remedy
        )

    def _dependent(self) -> Iterator[Undecided]:
        """What was not judged because it depends on what nothing wrote."""
        signal = self.forward.signal
        layers = signal.layers if signal is not None else ()
        after = {layer.source: layer.depends for layer in layers if layer.depends and layer.source != layer.depends}
        before = {path: raw for path, raw in self.forward.influenced.items() if path not in after and path != raw}
        for dependent, what in ((after, ""), (before, "gradient ")):
            for raw in dict.fromkeys(dependent.values()):
                paths = [path for path, source in dependent.items() if source == raw]
                subject = f"{self.target.spec}: {few(paths)}"
                reason = f"{what}not judged: depends on `{raw}`, which was never written"
                yield Undecided(
                    place=self.timelines.written_at(paths[0]),
                    subject=subject,
                    reason=reason,
                    unseen=(*SIGNAL, *TRAINING),
                )


def _is_failure(error: BaseException) -> bool:
    """Whether an error is one of this tool's own; that a model cannot be trained is none."""
    return is_ours(error) and not isinstance(error, UntrainableError)


def environment(target: Target, model: torch.nn.Module) -> Environment:
    """Where this is, and where the model's memory lies."""
    devices = dict.fromkeys(str(tensor.device) for tensor in tensors_of(model).values())
    return Environment(
        python=platform.python_version(),
        torch=str(torch.__version__),
        platform=f"{platform.system()} {platform.machine()}",
        device=", ".join(devices) or "none",
        dtype=str(torch.get_default_dtype()).removeprefix("torch."),
        seed=target.seed,
    )
